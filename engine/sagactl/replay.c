/* `sagactl replay`: recorded sagas through the core once more, one or all. Called by main.c. Reads the
 * database only, and exits 0 only if each saga is the same. */
#include "engine/sagactl/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/core/record.h"
#include "engine/core/view.h"
#include "engine/runtime/registry.h"
#include "engine/runtime/retrace.h"
#include "engine/sagactl/recorded.h"
#include "engine/sagactl/show.h"
#include "engine/sagactl/source.h"
#include "engine/sagactl/tally.h"
#include "engine/store/postgres.h"

enum { PAGE = 200 };
enum { TIME_SIZE = 23 };                          /* 2026-11-21T12:04:10.123 */
enum { EXCERPT_BEFORE = 60, EXCERPT_AFTER = 60 }; /* bytes: a screen line */

struct replay {
    struct invocation *invocation;
    struct registry *registry;
    struct store *store;
    struct arena arena;      /* of one saga: what was stored, what is printed */
    struct arena saga_arena; /* and its replayed state */
    FILE *exported;
    struct tally *tally; /* --against; NULL: not asked for */
    int64_t since_us;    /* 0: any */
    int64_t until;
    uint64_t same, different;
};

/* What happened, what was decided and why in lines like those of history, and the state after it. */
static void print_text(struct replay *replay, const struct core_saga *saga, const struct core_record *record,
                       struct str words, struct str waiting)
{
    struct str at = duration_time_text(&replay->arena, record->event.at_us);
    printf("%4" PRId64 "  %.*sZ  ", record->seq, TIME_SIZE, at.data);
    for (size_t begin = 0; begin < words.size;) {
        struct str rest = str_slice(words, begin, words.size);
        struct str line = str_slice(rest, 0, str_find(rest, '\n'));
        printf("%s%.*s\n", begin > 0 ? "        " : "", STR_ARG(show_plain(&replay->arena, line)));
        begin += line.size + 1;
    }
    printf("        = %.*s%s%s%.*s\n", STR_ARG(core_status_text(saga->status)),
           saga->paused ? ", paused" : "", waiting.size > 0 ? "; " : "",
           STR_ARG(show_plain(&replay->arena, waiting)));
}

static void print_json(struct replay *replay, const struct core_saga *saga, const struct core_record *record,
                       struct str words, struct str waiting)
{
    struct buf out;
    char id[ID_TEXT_SIZE + 1];
    id_format(saga->id, id);
    buf_init(&out, &replay->arena);
    buf_printf(&out, "{\"saga\":\"%s\",\"seq\":%" PRId64 ",\"at\":\"%.*s\",\"what\":", id, record->seq,
               STR_ARG(duration_time_text(&replay->arena, record->event.at_us)));
    json_write_string(&out, words);
    buf_printf(&out,
               ",\"status\":\"%.*s\",\"paused\":%s,\"waiting\":", STR_ARG(core_status_text(saga->status)),
               saga->paused ? "true" : "false");
    json_write_string(&out, waiting);
    buf_puts(&out, ",\"same\":true}\n");
    show_json(&replay->arena, buf_str(&out));
}

static void print_record(struct replay *replay, const struct core_saga *saga,
                         const struct core_record *record)
{
    struct buf words, waiting;
    buf_init(&words, &replay->arena);
    buf_init(&waiting, &replay->arena);
    record_narrate(&words, saga, record);
    view_waiting(&waiting, saga);
    if (replay->invocation->json)
        print_json(replay, saga, record, buf_str(&words), buf_str(&waiting));
    else
        print_text(replay, saga, record, buf_str(&words), buf_str(&waiting));
}

/* The part of a text around the first byte in which it differs from another. */
static struct str around(struct replay *replay, struct str text, size_t at)
{
    size_t begin = at > EXCERPT_BEFORE ? at - EXCERPT_BEFORE : 0;
    struct str part = show_plain(&replay->arena, str_slice(text, begin, at + EXCERPT_AFTER));
    return arena_printf(&replay->arena, "%s%.*s%s", begin > 0 ? "…" : "", STR_ARG(part),
                        at + EXCERPT_AFTER < text.size ? "…" : "");
}

static void print_difference(struct replay *replay, struct id saga, int64_t seq, struct str what,
                             struct str stored, struct str computed)
{
    char id[ID_TEXT_SIZE + 1];
    size_t at = 0;
    id_format(saga, id);
    while (at < stored.size && at < computed.size && stored.data[at] == computed.data[at])
        at++;
    if (!replay->invocation->json) {
        struct str left = around(replay, stored, at), right = around(replay, computed, at);
        printf("DIFFERENCE in saga %s at seq %" PRId64 ": %.*s\n  stored:   %.*s\n  replayed: %.*s\n", id,
               seq, STR_ARG(what), STR_ARG(left), STR_ARG(right));
        return;
    }
    struct buf out;
    buf_init(&out, &replay->arena);
    buf_printf(&out, "{\"saga\":\"%s\",\"seq\":%" PRId64 ",\"same\":false,\"difference\":", id, seq);
    json_write_string(&out, what);
    buf_puts(&out, ",\"stored\":");
    json_write_string(&out, stored);
    buf_puts(&out, ",\"replayed\":");
    json_write_string(&out, computed);
    buf_puts(&out, "}\n");
    show_json(&replay->arena, buf_str(&out));
}

static void told(void *context, const struct core_saga *saga, const struct core_record *record)
{
    print_record(context, saga, record);
}

static bool replay_saga(struct replay *replay, const struct recorded *recorded)
{
    struct retrace_difference difference;
    struct retrace retrace = {.plan = recorded->plan,
                              .row = &recorded->saga,
                              .records = recorded->records,
                              .count = recorded->count,
                              .until = replay->until,
                              .context = replay,
                              .told = told};
    char id[ID_TEXT_SIZE + 1];
    id_format(recorded->saga.id, id);
    if (!replay->invocation->json)
        printf("saga %s  %.*s version %d\n", id, STR_ARG(recorded->plan->name), recorded->plan->version);
    arena_reset(&replay->saga_arena);
    if (retrace_saga(&retrace, &replay->saga_arena, &replay->arena, &difference))
        return true;
    print_difference(replay, recorded->saga.id, difference.seq, difference.what, difference.stored,
                     difference.computed);
    return false;
}

static bool export_saga(struct replay *replay, const struct recorded *recorded)
{
    struct buf line;
    if (replay->exported == NULL)
        return true;
    buf_init(&line, &replay->arena);
    recorded_write(&line, recorded);
    struct str text = buf_str(&line);
    return fwrite(text.data, 1, text.size, replay->exported) == text.size;
}

static int one(struct replay *replay, const struct recorded *recorded)
{
    if (!export_saga(replay, recorded)) {
        fprintf(stderr, "sagactl: cannot write the export: %s\n", strerror(errno));
        return INVOCATION_FAILED;
    }
    if (replay->tally != NULL) {
        tally_add(replay->tally, recorded);
        return INVOCATION_FINE;
    }
    bool same = replay_saga(replay, recorded);
    replay->same += same;
    replay->different += !same;
    return INVOCATION_FINE;
}

static int fail(const struct err_note *note, int code)
{
    fprintf(stderr, "sagactl: %s\n", note->text);
    return code;
}

static int from_database(struct replay *replay, struct id id)
{
    struct recorded recorded = {0};
    struct err_note note = {""};
    arena_reset(&replay->arena);
    enum err error = store_load(replay->store, id, &replay->arena, &recorded.saga, &recorded.records,
                                &recorded.count, &note);
    if (error != ERR_OK)
        return fail(&note, error == ERR_NOT_FOUND ? INVOCATION_FAILED : INVOCATION_AWAY);
    recorded.plan = registry_by_hash(replay->registry, recorded.saga.hash);
    if (recorded.plan == NULL) {
        fprintf(stderr, "sagactl: the definition of this saga (%.*s version %d) is not in the database\n",
                STR_ARG(recorded.saga.definition), recorded.saga.version);
        return INVOCATION_FAILED;
    }
    return one(replay, &recorded);
}

static int from_ids(struct replay *replay)
{
    int code = INVOCATION_FINE;
    for (int i = 0; i < replay->invocation->argument_count && code == INVOCATION_FINE; i++) {
        struct id id;
        if (!invocation_id(replay->invocation, replay->invocation->arguments[i], &id))
            return INVOCATION_USAGE;
        code = from_database(replay, id);
    }
    return code;
}

static struct str option(const struct replay *replay, const char *name)
{
    return str_from(invocation_option(replay->invocation, name));
}

/* --definition; with --against, else sagas of the version's own name. */
static struct str chosen_definition(const struct replay *replay)
{
    struct str given = option(replay, "definition");
    return given.size == 0 && replay->tally != NULL ? replay->tally->plan->name : given;
}

static int from_list(struct replay *replay)
{
    struct store_filter filter = {.status = option(replay, "status"),
                                  .definition = chosen_definition(replay),
                                  .since_us = replay->since_us,
                                  .limit = PAGE};
    struct arena page;
    int code = INVOCATION_FINE;
    uint32_t count = PAGE;
    arena_init(&page, 0);
    while (count == PAGE && code == INVOCATION_FINE) {
        struct store_saga *sagas = NULL;
        struct err_note note = {""};
        arena_reset(&page);
        if (store_list(replay->store, &filter, &page, &sagas, &count, &note) != ERR_OK) {
            code = fail(&note, INVOCATION_AWAY);
            break;
        }
        for (uint32_t i = 0; i < count && code == INVOCATION_FINE; i++)
            code = from_database(replay, sagas[i].id);
        filter.has_cursor = count > 0;
        filter.cursor = count > 0 ? sagas[count - 1].id : filter.cursor;
    }
    arena_fini(&page);
    return code;
}

static bool wanted(const struct replay *replay, const struct recorded *recorded)
{
    struct str status = option(replay, "status"), definition = chosen_definition(replay);
    char id[ID_TEXT_SIZE + 1];
    id_format(recorded->saga.id, id);
    bool named = replay->invocation->argument_count == 0;
    for (int i = 0; i < replay->invocation->argument_count; i++)
        named = named || strcmp(replay->invocation->arguments[i], id) == 0;
    return named && (status.size == 0 || str_equal(status, recorded->saga.status)) &&
           (definition.size == 0 || str_equal(definition, recorded->saga.definition)) &&
           recorded->saga.started_us >= replay->since_us;
}

static int from_file(struct replay *replay, const char *path)
{
    struct str rest;
    if (!invocation_read_file(replay->invocation, path, &rest))
        return INVOCATION_FAILED;
    if (rest.size == 0) {
        fprintf(stderr, "sagactl: %s is empty: there is no saga to replay in it\n", path);
        return INVOCATION_FAILED;
    }
    for (uint32_t line = 1; rest.size > 0; line++) {
        size_t end = str_find(rest, '\n');
        struct recorded recorded;
        struct err_note note = {""};
        arena_reset(&replay->arena);
        if (recorded_read(str_slice(rest, 0, end), &replay->arena, &recorded, &note) != ERR_OK) {
            fprintf(stderr, "sagactl: %s line %u: %s\n", path, line, note.text);
            return INVOCATION_FAILED;
        }
        int code = wanted(replay, &recorded) ? one(replay, &recorded) : INVOCATION_FINE;
        if (code != INVOCATION_FINE)
            return code;
        rest = str_slice(rest, end + 1, rest.size);
    }
    return INVOCATION_FINE;
}

/* A time, or so long before the database's now. */
static bool read_since(struct replay *replay, struct err_note *note)
{
    int64_t ago_us = 0, now_us = 0;
    struct str text = option(replay, "since");
    if (text.size == 0 || duration_time_parse(text, &replay->since_us))
        return true;
    if (!duration_parse(text, &ago_us))
        return err_note(note, ERR_INVALID,
                        "--since takes a time like 2026-11-21T12:00:00Z, or a duration like 7d, not \"%.*s\"",
                        STR_ARG(text)) == ERR_OK;
    if (replay->store == NULL)
        return err_note(note, ERR_INVALID, "with --file, --since takes a time like 2026-11-21T12:00:00Z") ==
               ERR_OK;
    bool told = store_now(replay->store, &now_us, note) == ERR_OK;
    replay->since_us = now_us - ago_us;
    return told;
}

static int run_on_file(struct replay *replay, const char *path)
{
    struct err_note note = {""};
    return read_since(replay, &note) ? from_file(replay, path) : fail(&note, INVOCATION_USAGE);
}

static int run_on_database(struct replay *replay)
{
    struct err_note note = {""};
    if (postgres_open(invocation_database(replay->invocation), &replay->store, &note) != ERR_OK)
        return fail(&note, INVOCATION_AWAY);
    replay->registry = registry_new(SIZE_MAX);
    enum err error = registry_refresh(replay->registry, replay->store, &note);
    int code = !read_since(replay, &note)               ? fail(&note, INVOCATION_USAGE)
               : error != ERR_OK                        ? fail(&note, INVOCATION_AWAY)
               : replay->invocation->argument_count > 0 ? from_ids(replay)
                                                        : from_list(replay);
    registry_free(replay->registry);
    store_close(replay->store);
    return code;
}

static int report(const struct replay *replay)
{
    if (replay->tally != NULL)
        return tally_print(replay->tally, replay->invocation);
    uint64_t all = replay->same + replay->different;
    if (replay->invocation->json)
        printf("{\"sagas\":%" PRIu64 ",\"same\":%" PRIu64 ",\"different\":%" PRIu64 "}\n", all, replay->same,
               replay->different);
    else
        printf("%" PRIu64 " saga%s replayed: %" PRIu64 " the same, %" PRIu64 " different\n", all,
               all == 1 ? "" : "s", replay->same, replay->different);
    return replay->different == 0 ? INVOCATION_FINE : INVOCATION_FAILED;
}

static bool understood(struct replay *replay)
{
    struct invocation *invocation = replay->invocation;
    const char *until = invocation_option(invocation, "until");
    bool chosen = invocation->argument_count > 0 || invocation_option(invocation, "all") != NULL ||
                  invocation_option(invocation, "status") != NULL ||
                  invocation_option(invocation, "definition") != NULL ||
                  invocation_option(invocation, "against") != NULL ||
                  invocation_option(invocation, "file") != NULL;
    if (!chosen)
        fprintf(stderr, "sagactl replay: say which sagas: ids, --all, --status STATUS, --definition NAME, "
                        "--against FILE or --file FILE\n");
    if (until != NULL && (!str_to_i64(str_from(until), &replay->until) || replay->until < 1)) {
        fprintf(stderr, "sagactl replay: --until takes a number from 1, a record's seq\n");
        return false;
    }
    return chosen;
}

/* The export file is written to while this runs. */
static int run_replay(struct replay *replay)
{
    const char *file = invocation_option(replay->invocation, "file"),
               *exported = invocation_option(replay->invocation, "export");
    if (exported != NULL && (replay->exported = fopen(exported, "wx")) == NULL) {
        fprintf(stderr, "sagactl: cannot write %s: %s\n", exported, strerror(errno));
        return INVOCATION_FAILED;
    }
    arena_init(&replay->arena, 0);
    arena_init(&replay->saga_arena, 0);
    int code = file != NULL ? run_on_file(replay, file) : run_on_database(replay);
    arena_fini(&replay->saga_arena);
    arena_fini(&replay->arena);
    if (replay->exported != NULL && fclose(replay->exported) != 0) {
        fprintf(stderr, "sagactl: cannot write %s: %s\n", exported, strerror(errno));
        code = INVOCATION_FAILED;
    }
    return code == INVOCATION_FINE ? report(replay) : code;
}

int replay_run(struct invocation *invocation)
{
    struct replay replay = {.invocation = invocation};
    struct tally tally;
    const char *against = invocation_option(invocation, "against");
    int code = INVOCATION_USAGE;
    if (!understood(&replay))
        return INVOCATION_USAGE;
    if (against == NULL)
        return run_replay(&replay);
    const struct plan *plan = source_load(invocation, against, &code);
    if (plan == NULL)
        return code;
    tally_init(&tally, plan);
    replay.tally = &tally;
    code = run_replay(&replay);
    tally_fini(&tally);
    return code;
}
