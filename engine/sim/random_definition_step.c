/* A random definition's steps, with every key that a step may have. Part of random_definition_parts.h; called
 * by random_definition.c. Never writes a key that the language would refuse there. */
#include "engine/sim/random_definition_parts.h"

#include <inttypes.h>
#include <stdio.h>

void random_definition_retry(struct random_definition_writer *writer, uint32_t attempts_most, bool unlimited)
{
    static const char *const jitters[] = {"full", "equal", "none"};
    uint32_t attempts = 1 + random_definition_choose(writer, attempts_most);
    uint32_t initial_ms = 50 + 50 * random_definition_choose(writer, 6);
    const char *jitter = jitters[random_definition_choose(writer, 3)];
    const char *elapsed = random_definition_chance(writer, 10) ? ", max_elapsed: 20s" : "";
    if (unlimited)
        random_definition_line(writer, "retry: { max_attempts: unlimited, initial: %" PRIu32 "ms }",
                               initial_ms);
    else
        random_definition_line(writer,
                               "retry: { max_attempts: %" PRIu32 ", initial: %" PRIu32
                               "ms, max_interval: 2s, factor: 1.5, jitter: %s%s }",
                               attempts, initial_ms, jitter, elapsed);
}

static void put_compensate(struct random_definition_writer *writer, const char *id, uint32_t participant,
                           bool undone)
{
    if (!undone || random_definition_chance(writer, 40)) {
        struct str text =
            undone ? arena_printf(writer->out.arena, "p%" PRIu32 ".undo", participant) : STR("none");
        random_definition_line(writer, "compensate: %.*s", STR_ARG(text));
        return;
    }
    random_definition_line(writer, "compensate:");
    writer->indent += 2;
    random_definition_line(writer, "command: p%" PRIu32 ".undo", participant);
    if (random_definition_chance(writer, 70)) {
        struct str body = random_definition_body(writer, RANDOM_DEFINITION_AT_UNDO, id);
        random_definition_line(writer, "with: %.*s", STR_ARG(body));
    }
    random_definition_line(writer, "timeout: 1s");
    random_definition_retry(writer, 5, false);
    writer->indent -= 2;
}

static void put_on_timeout(struct random_definition_writer *writer, uint32_t participant, bool back)
{
    static const char *const words[] = {"retry", "verify", "park", "compensate"};
    const char *word = words[random_definition_choose(writer, back ? 4 : 3)];
    random_definition_line(writer, "on_timeout: %s", word);
    if (word[0] == 'v' || (word[0] == 'r' && random_definition_chance(writer, 30)))
        random_definition_line(writer, "verify: { command: p%" PRIu32 ".look, timeout: %" PRIu32 "ms }",
                               participant, 500 + 500 * random_definition_choose(writer, 3));
}

/* Whether the step may go on with the output null. */
static bool put_errors(struct random_definition_writer *writer)
{
    uint32_t dice = random_definition_choose(writer, 4);
    if (dice == 0)
        return false;
    random_definition_line(writer, "errors: { AGAIN: retry, HUMAN: park, NO: fail%s }",
                           dice == 1 ? "" : ", SKIP: continue");
    return dice != 1;
}

void random_definition_step(struct random_definition_writer *writer, bool pivot)
{
    char id[8];
    bool back = !pivot && (!writer->pivoted || writer->scope); /* there is a way back */
    bool undone = back && random_definition_chance(writer, 85);
    uint32_t participant = random_definition_choose(writer, RANDOM_DEFINITION_PARTICIPANTS);
    bool fields = random_definition_chance(writer, 50);
    snprintf(id, sizeof id, "s%" PRIu32, writer->ids++);
    random_definition_line(writer, "- id: %s", id);
    writer->indent += 2;
    random_definition_line(writer, "command: p%" PRIu32 ".do", participant);
    if (random_definition_chance(writer, 25))
        random_definition_line(writer, "via: request");
    if (random_definition_chance(writer, 85)) {
        struct str body = random_definition_body(writer, RANDOM_DEFINITION_AT_DO, NULL);
        random_definition_line(writer, "with: %.*s", STR_ARG(body));
    }
    if (fields) {
        struct str schema = random_definition_schema(writer);
        random_definition_line(writer, "output: { schema: %.*s }", STR_ARG(schema));
    }
    random_definition_line(writer, "timeout: %" PRIu32 "ms", 400 + 200 * random_definition_choose(writer, 8));
    if (random_definition_chance(writer, 30))
        random_definition_line(writer, "start_within: %" PRIu32 "s", 2 + random_definition_choose(writer, 8));
    random_definition_retry(writer, 4, !back && !pivot && random_definition_chance(writer, 20));
    bool goes_on = put_errors(writer);
    put_on_timeout(writer, participant, back);
    if (pivot)
        random_definition_line(writer, "pivot: true");
    if (back)
        put_compensate(writer, id, participant, undone);
    else if (random_definition_chance(writer, 50))
        random_definition_line(writer, "compensate: none");
    writer->indent -= 2;
    random_definition_learn(writer, id, !goes_on, fields);
}
