#include "engine/sagactl/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/sagactl/show.h"

enum { LINE_BYTES = 200 }; /* of an example's line, on a screen */

void tally_init(struct tally *tally, const struct plan *plan)
{
    *tally = (struct tally){.plan = plan};
    arena_init(&tally->arena, 0);
}

void tally_fini(struct tally *tally)
{
    arena_fini(&tally->arena);
}

static struct tally_group *find_group(struct tally *tally, const struct against *result)
{
    for (uint32_t i = 0; i < tally->group_count; i++) {
        struct against *example = &tally->groups[i].example;
        if (example->outcome == result->outcome && str_equal(example->what, result->what))
            return &tally->groups[i];
    }
    return NULL;
}

static void add_group(struct tally *tally, const struct against *result, struct id saga)
{
    if (tally->group_count == tally->group_room) {
        uint32_t room = tally->group_room == 0 ? 16 : tally->group_room * 2;
        tally->groups = arena_resize(&tally->arena, tally->groups, tally->group_room * sizeof *tally->groups,
                                     room * sizeof *tally->groups);
        tally->group_room = room;
    }
    struct against example = *result;
    example.what = arena_copy(&tally->arena, result->what);
    example.then = arena_copy(&tally->arena, result->then);
    example.now = arena_copy(&tally->arena, result->now);
    tally->groups[tally->group_count++] = (struct tally_group){.example = example, .saga = saga, .count = 1};
}

void tally_add(struct tally *tally, const struct recorded *recorded)
{
    struct arena arena;
    struct against result;
    arena_init(&arena, 0);
    struct against_row *rows = arena_array(&arena, recorded->count, sizeof *rows);
    for (uint32_t i = 0; i < recorded->count; i++) {
        const struct store_record *record = &recorded->records[i];
        rows[i] = (struct against_row){record->seq,  record->at_us,   record->kind,
                                       record->step, record->attempt, record->data};
    }
    against_run(recorded->plan, tally->plan, recorded->saga.id, rows, recorded->count, &arena, &result);
    tally->counts[result.outcome]++;
    struct tally_group *group = find_group(tally, &result);
    if (group != NULL)
        group->count++;
    else if (result.outcome != AGAINST_SAME)
        add_group(tally, &result, recorded->saga.id);
    arena_fini(&arena);
}

static uint64_t all(const struct tally *tally)
{
    uint64_t sum = 0;
    for (int i = 0; i < AGAINST_OUTCOME_COUNT; i++)
        sum += tally->counts[i];
    return sum;
}

static void print_json(struct tally *tally)
{
    struct buf out;
    buf_init(&out, &tally->arena);
    buf_puts(&out, "{\"against\":");
    json_write_string(
        &out, arena_printf(&tally->arena, "%.*s@%d", STR_ARG(tally->plan->name), tally->plan->version));
    buf_printf(&out, ",\"sagas\":%" PRIu64 ",\"outcomes\":{", all(tally));
    for (int i = 0; i < AGAINST_OUTCOME_COUNT; i++)
        buf_printf(&out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", against_text((enum against_outcome)i),
                   tally->counts[i]);
    buf_puts(&out, "},\"groups\":[");
    for (uint32_t i = 0; i < tally->group_count; i++) {
        const struct tally_group *group = &tally->groups[i];
        char id[ID_TEXT_SIZE + 1];
        id_format(group->saga, id);
        buf_printf(&out, "%s\n{\"outcome\":\"%s\",\"count\":%" PRIu64 ",\"what\":", i > 0 ? "," : "",
                   against_text(group->example.outcome), group->count);
        json_write_string(&out, group->example.what);
        buf_printf(&out, ",\"saga\":\"%s\",\"seq\":%" PRId64 ",\"then\":", id, group->example.seq);
        json_write_string(&out, group->example.then);
        buf_puts(&out, ",\"now\":");
        json_write_string(&out, group->example.now);
        buf_char(&out, '}');
    }
    buf_puts(&out, "]}\n");
    show_json(&tally->arena, buf_str(&out));
}

/* Each line below the other, cut. */
static void print_lines(struct tally *tally, const char *head, struct str text)
{
    if (text.size == 0)
        text = STR("nothing");
    for (bool first = true; text.size > 0; first = false) {
        struct str line = str_slice(text, 0, str_find(text, '\n'));
        struct str shown = str_slice(line, 0, str_utf8_size(str_slice(line, 0, LINE_BYTES)));
        printf("    %-5s %.*s%s\n", first ? head : "", STR_ARG(show_plain(&tally->arena, shown)),
               shown.size < line.size ? "…" : "");
        text = str_slice(text, line.size + 1, text.size);
    }
}

static void print_group(struct tally *tally, const struct tally_group *group)
{
    char id[ID_TEXT_SIZE + 1];
    id_format(group->saga, id);
    printf("%s: %" PRIu64 " saga%s: %.*s\n", against_text(group->example.outcome), group->count,
           group->count == 1 ? "" : "s", STR_ARG(show_plain(&tally->arena, group->example.what)));
    printf("    saga %s at seq %" PRId64 "\n", id, group->example.seq);
    print_lines(tally, "then:", group->example.then);
    print_lines(tally, "now:", group->example.now);
}

static void print_text(struct tally *tally)
{
    for (uint32_t i = 0; i < tally->group_count; i++)
        print_group(tally, &tally->groups[i]);
    printf("%" PRIu64 " saga%s through %.*s version %d: ", all(tally), all(tally) == 1 ? "" : "s",
           STR_ARG(tally->plan->name), tally->plan->version);
    printf("%" PRIu64 " same", tally->counts[AGAINST_SAME]);
    for (int i = AGAINST_SAME + 1; i < AGAINST_OUTCOME_COUNT; i++)
        if (tally->counts[i] > 0)
            printf(", %" PRIu64 " %s (%s)", tally->counts[i], against_text((enum against_outcome)i),
                   against_meaning((enum against_outcome)i));
    printf("\n");
}

int tally_print(struct tally *tally, const struct invocation *invocation)
{
    if (invocation->json)
        print_json(tally);
    else
        print_text(tally);
    return tally->counts[AGAINST_SAME] == all(tally) ? INVOCATION_FINE : INVOCATION_FAILED;
}
