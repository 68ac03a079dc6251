/* Gathers what clients, participants' logs and the database say of a finished run. Judges nothing. */
#include "tests/integration/facts.h"

#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/base/limits.h"
#include "engine/base/memory.h"

enum { LINE_MAX_BYTES = 2 * LIMITS_PAYLOAD_BYTES };

void facts_init(struct facts *facts, struct arena *arena)
{
    *facts = (struct facts){.arena = arena, .drained = false, .lossless = true};
}

static void *grow(struct arena *arena, void *items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return items;
    uint32_t wanted = *room == 0 ? 64 : *room * 2;
    void *more = arena_array(arena, wanted, size);
    if (count > 0)
        memcpy(more, items, count * size);
    *room = wanted;
    return more;
}

#define ADD(name)                                                                                            \
    struct facts_##name *facts_add_##name(struct facts *facts)                                               \
    {                                                                                                        \
        uint32_t at = facts->name##_count++;                                                                 \
        facts->FIELD_##name =                                                                                \
            grow(facts->arena, facts->FIELD_##name, at, &facts->name##_room, sizeof *facts->FIELD_##name);   \
        facts->FIELD_##name[at] = (struct facts_##name){0};                                                  \
        return &facts->FIELD_##name[at];                                                                     \
    }
#define FIELD_start starts
#define FIELD_verb verbs
#define FIELD_signal signals
#define FIELD_line lines
#define FIELD_saga sagas
#define FIELD_record records
#define FIELD_dead dead
#define FIELD_shard shards
ADD(start)
ADD(verb)
ADD(signal)
ADD(line)
ADD(saga)
ADD(record)
ADD(dead)
ADD(shard)

/* --- PostgreSQL -------------------------------------------------------------------------------------- */

static PGresult *ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(connection));
    return result;
}

static struct str text_at(struct facts *facts, PGresult *result, int row, int column)
{
    return arena_copy(facts->arena, (struct str){PQgetvalue(result, row, column),
                                                 (size_t)PQgetlength(result, row, column)});
}

static int64_t number_at(PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static bool flag_at(PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static void read_sagas(struct facts *facts, PGconn *connection)
{
    PGresult *rows =
        ask(connection, "select saga.id, saga.definition, saga.hash, coalesce(definition.hash, ''), status, "
                        "coalesce(key, ''), reason_code, seq, ended_at is not null, ended_at is null and "
                        "not paused and coalesce(wake_at < now() - interval '30 s', false), "
                        "coalesce(saga.parent::text, '') "
                        "from saga left join definition on definition.name = saga.definition and "
                        "definition.version = saga.version order by saga.id");
    for (int i = 0; i < PQntuples(rows); i++) {
        struct facts_saga *saga = facts_add_saga(facts);
        *saga = (struct facts_saga){.id = text_at(facts, rows, i, 0),
                                    .definition = text_at(facts, rows, i, 1),
                                    .hash = text_at(facts, rows, i, 2),
                                    .definition_hash = text_at(facts, rows, i, 3),
                                    .status = text_at(facts, rows, i, 4),
                                    .key = text_at(facts, rows, i, 5),
                                    .reason_code = text_at(facts, rows, i, 6),
                                    .seq = number_at(rows, i, 7),
                                    .ended = flag_at(rows, i, 8),
                                    .overdue = flag_at(rows, i, 9),
                                    .parent = text_at(facts, rows, i, 10)};
    }
    PQclear(rows);
}

static void read_records(struct facts *facts, PGconn *connection)
{
    PGresult *rows =
        ask(connection, "select saga_id, seq, (extract(epoch from at) * 1000000)::bigint, lsn, shard, kind, "
                        "coalesce(step, ''), attempt, data from saga_journal order by saga_id, seq");
    struct err_note note = {""};
    for (int i = 0; i < PQntuples(rows); i++) {
        struct facts_record *record = facts_add_record(facts);
        *record = (struct facts_record){.saga = text_at(facts, rows, i, 0),
                                        .seq = number_at(rows, i, 1),
                                        .at_us = number_at(rows, i, 2),
                                        .lsn = number_at(rows, i, 3),
                                        .shard = number_at(rows, i, 4),
                                        .kind = text_at(facts, rows, i, 5),
                                        .step = text_at(facts, rows, i, 6),
                                        .attempt = number_at(rows, i, 7)};
        enum err error = json_parse(facts->arena, text_at(facts, rows, i, 8), SIZE_MAX, &record->data, &note);
        cr_assert_eq(error, ERR_OK, "a journal row that is no JSON: %s", note.text);
        record->changes = json_get(record->data, STR("changes"));
    }
    PQclear(rows);
}

/* Both are ordered by the same id. */
static void join_records(struct facts *facts)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < facts->saga_count; i++) {
        struct facts_saga *saga = &facts->sagas[i];
        saga->first_record = at;
        while (at < facts->record_count && str_equal(facts->records[at].saga, saga->id))
            at++;
        saga->record_count = at - saga->first_record;
    }
    cr_assert_eq(at, facts->record_count, "journal rows of a saga that has no row");
}

static void read_dead(struct facts *facts, PGconn *connection)
{
    PGresult *rows = ask(connection, "select reason, command, coalesce(headers ->> 'Nats-Msg-Id', '') "
                                     "from dead_letter order by number");
    for (int i = 0; i < PQntuples(rows); i++)
        *facts_add_dead(facts) = (struct facts_dead){.reason = text_at(facts, rows, i, 0),
                                                     .command = text_at(facts, rows, i, 1),
                                                     .message_id = text_at(facts, rows, i, 2)};
    PQclear(rows);
}

static void read_shards(struct facts *facts, PGconn *connection)
{
    PGresult *rows = ask(connection, "select id, last_lsn, published_lsn from shard order by id");
    for (int i = 0; i < PQntuples(rows); i++)
        *facts_add_shard(facts) = (struct facts_shard){.id = number_at(rows, i, 0),
                                                       .last_lsn = number_at(rows, i, 1),
                                                       .published_lsn = number_at(rows, i, 2)};
    PQclear(rows);
}

void facts_read_database(struct facts *facts, const char *url)
{
    PGconn *connection = PQconnectdb(url);
    cr_assert_eq(PQstatus(connection), CONNECTION_OK, "%s", PQerrorMessage(connection));
    /* One snapshot for all of it. */
    PQclear(PQexec(connection, "begin isolation level repeatable read"));
    read_sagas(facts, connection);
    read_records(facts, connection);
    read_dead(facts, connection);
    read_shards(facts, connection);
    PQfinish(connection);
    join_records(facts);
}

/* --- participants' logs ------------------------------------------------------------------------------ */

static void take_line(struct facts *facts, struct str text, struct str participant)
{
    const struct json *json = NULL;
    struct err_note note = {""};
    enum err error = json_parse(facts->arena, text, LINE_MAX_BYTES, &json, &note);
    cr_assert_eq(error, ERR_OK, "a torn line in the log of %.*s: %s", STR_ARG(participant), note.text);
    struct facts_line *line = facts_add_line(facts);
    *line = (struct facts_line){.participant = participant,
                                .what = json_get_str(json, STR("what")),
                                .command = json_get_str(json, STR("command")),
                                .key = json_get_str(json, STR("key")),
                                .kind = json_get_str(json, STR("kind")),
                                .action = json_get_str(json, STR("action")),
                                .body = json_get_str(json, STR("body"))};
    bool whole = json_get_i64(json, STR("at"), &line->at_us) &&
                 json_get_i64(json, STR("attempt"), &line->attempt) &&
                 json_get_i64(json, STR("delivery"), &line->delivery);
    cr_assert(whole, "a line without its numbers in the log of %.*s", STR_ARG(participant));
    struct str reply = json_get_str(json, STR("reply"));
    size_t blank = str_find(reply, ' ');
    line->status = str_slice(reply, 0, blank);
    line->id = str_slice(reply, blank + 1, reply.size);
}

void facts_read_log(struct facts *facts, const char *path, const char *participant)
{
    FILE *file = fopen(path, "re");
    struct str name = arena_copy(facts->arena, str_from(participant));
    cr_assert_not_null(file, "no log at %s", path);
    char *text = memory_new(LINE_MAX_BYTES, 1);
    while (fgets(text, LINE_MAX_BYTES, file) != NULL)
        take_line(facts, str_trim(arena_copy(facts->arena, str_from(text))), name);
    memory_free(text);
    (void)fclose(file);
}

/* --- copies ------------------------------------------------------------------------------------------ */

/* Texts and trees are never changed in place, so arrays are all that must be copied. */
#define COPY(name)                                                                                           \
    copy->FIELD_##name = arena_array(arena, facts->name##_count + 1, sizeof *copy->FIELD_##name);            \
    if (facts->name##_count > 0)                                                                             \
        memcpy(copy->FIELD_##name, facts->FIELD_##name, facts->name##_count * sizeof *copy->FIELD_##name);   \
    copy->name##_room = facts->name##_count + 1

void facts_copy(struct facts *copy, const struct facts *facts, struct arena *arena)
{
    *copy = *facts;
    copy->arena = arena;
    COPY(start);
    COPY(verb);
    COPY(signal);
    COPY(line);
    COPY(saga);
    COPY(record);
    COPY(dead);
    COPY(shard);
}
