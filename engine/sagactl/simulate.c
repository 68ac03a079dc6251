/* `sagactl simulate`: one random run, told as a timeline. Called by main.c. Never needs a service; the same
 * seed prints the same text. */
#include "engine/sagactl/simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/limits.h"
#include "engine/definition/definition.h"
#include "engine/model/chance.h"

struct simulation {
    struct invocation *invocation;
    const struct plan *plan;
    uint64_t seed;
    struct chance_rates rates;
    const struct json *input;
    struct chance_result result;
};

static int load(struct simulation *simulation)
{
    struct arena *arena = simulation->invocation->arena;
    struct diag_list diags = {0};
    struct err_note note = {""};
    struct buf out;
    if (definition_load_file(arena, simulation->invocation->arguments[0], &diags, &simulation->plan, &note) !=
        ERR_OK) {
        fprintf(stderr, "sagactl simulate: %s\n", note.text);
        return INVOCATION_FAILED;
    }
    if (simulation->plan)
        return INVOCATION_FINE;
    buf_init(&out, arena);
    diag_render(&diags, &out);
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&out)));
    return INVOCATION_FAILED;
}

static bool read_seed(struct simulation *simulation)
{
    const char *text = invocation_option(simulation->invocation, "seed");
    int64_t seed = 0;
    if (text == NULL) {
        simulation->seed = rng_entropy() >> 32; /* short enough to be typed again */
        return true;
    }
    bool fine = str_to_i64(str_from(text), &seed) && seed >= 0;
    if (!fine)
        fprintf(stderr, "sagactl simulate: --seed takes a number from 0\n");
    simulation->seed = (uint64_t)seed;
    return fine;
}

static bool read_rates(struct simulation *simulation)
{
    const char *text = invocation_option(simulation->invocation, "faults");
    struct err_note note = {""};
    simulation->rates = chance_usual();
    if (text == NULL || chance_read(str_from(text), &simulation->rates, &note) == ERR_OK)
        return true;
    fprintf(stderr, "sagactl simulate: --faults: %s. Known are", note.text);
    for (int i = 0; i < CHANCE_FAULT_COUNT; i++)
        fprintf(stderr, "%s %.*s", i == 0 ? "" : ",", STR_ARG(chance_fault_text((enum chance_fault)i)));
    fprintf(stderr, "; all=RATE means each, none is all=0\n");
    return false;
}

static bool read_input(struct simulation *simulation)
{
    const char *text = invocation_option(simulation->invocation, "input");
    struct str input = str_from(text);
    struct err_note note = {""};
    if (text == NULL)
        return true;
    if (text[0] == '@' || str_equal(input, STR("-"))) {
        if (!invocation_read_file(simulation->invocation, text[0] == '@' ? text + 1 : text, &input))
            return false;
    }
    if (json_parse(simulation->invocation->arena, input, LIMITS_PAYLOAD_BYTES, &simulation->input, &note) ==
        ERR_OK)
        return true;
    fprintf(stderr, "sagactl simulate: --input is no JSON: %s\n", note.text);
    return false;
}

/* ---- told ---- */

static void print_faults(const struct chance_result *result)
{
    const char *comma = "faults       ";
    for (int i = 0; i < CHANCE_FAULT_COUNT; i++) {
        if (result->faults[i] == 0)
            continue;
        printf("%s%.*s %u", comma, STR_ARG(chance_fault_text((enum chance_fault)i)), result->faults[i]);
        comma = ", ";
    }
    printf("%s", comma[0] == ',' ? "\n" : "faults       none\n");
}

static void print_text(const struct simulation *simulation)
{
    const struct chance_result *result = &simulation->result;
    struct arena *arena = simulation->invocation->arena;
    struct str input = json_text(arena, result->input), status = core_status_text(result->status);
    struct buf span;
    buf_init(&span, arena);
    play_put_moment(&span, result->span_us);
    printf("%.*s version %d, seed %" PRIu64 ", input %.*s\n\n%.*s\n", STR_ARG(simulation->plan->name),
           simulation->plan->version, simulation->seed, STR_ARG(input), STR_ARG(result->timeline));
    printf("outcome      %.*s after %.*s%s%.*s\n", STR_ARG(status), STR_ARG(buf_str(&span)),
           result->reason.size > 0 ? ": " : "", STR_ARG(result->reason));
    print_faults(result);
    printf("participants %.*s\n", STR_ARG(result->effects));
    if (result->wrong.size > 0)
        printf("WRONG        %.*s\n", STR_ARG(result->wrong));
}

static void put_member(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

static void print_json(const struct simulation *simulation)
{
    const struct chance_result *result = &simulation->result;
    struct buf out;
    buf_init(&out, simulation->invocation->arena);
    buf_printf(&out, "{\"seed\":%" PRIu64 ",\"input\":", simulation->seed);
    json_write(&out, result->input);
    put_member(&out, "status", core_status_text(result->status));
    put_member(&out, "reason", result->reason);
    buf_printf(&out, ",\"span_us\":%" PRId64 ",\"faults\":{", result->span_us);
    for (int i = 0; i < CHANCE_FAULT_COUNT; i++)
        buf_printf(&out, "%s\"%.*s\":%u", i == 0 ? "" : ",", STR_ARG(chance_fault_text((enum chance_fault)i)),
                   result->faults[i]);
    buf_char(&out, '}');
    put_member(&out, "participants", result->effects);
    put_member(&out, "wrong", result->wrong);
    buf_puts(&out, ",\"timeline\":[");
    for (const struct play_line *line = result->lines; line; line = line->next) {
        buf_printf(&out, "%s{\"at_us\":%" PRId64, line == result->lines ? "" : ",", line->at_us);
        put_member(&out, "text", line->text);
        buf_char(&out, '}');
    }
    printf("%.*s]}\n", STR_ARG(buf_str(&out)));
}

int simulate_run(struct invocation *invocation)
{
    struct simulation simulation = {.invocation = invocation};
    struct err_note note = {""};
    if (!invocation_expects(invocation, 1, 1) || !read_seed(&simulation) || !read_rates(&simulation) ||
        !read_input(&simulation))
        return INVOCATION_USAGE;
    int code = load(&simulation);
    if (code != INVOCATION_FINE)
        return code;
    if (chance_run(simulation.plan, simulation.seed, &simulation.rates, simulation.input, invocation->arena,
                   &simulation.result, &note) != ERR_OK) {
        fprintf(stderr, "sagactl simulate: %s\n", note.text);
        return INVOCATION_FAILED;
    }
    if (invocation->json)
        print_json(&simulation);
    else
        print_text(&simulation);
    return simulation.result.wrong.size == 0 ? INVOCATION_FINE : INVOCATION_FAILED;
}
