/* One command in the participant's database: rules, barrier and effect in one transaction. Called by serve.c.
 * Never has an effect outside of that transaction. */
#include "deploy/participants/work.h"

#include "engine/base/check.h"

/* The columns of every answer, in this order. */
enum { STATUS, CODE, MESSAGE, BODY };

static struct str cell(const PGresult *row, int column, struct arena *arena)
{
    if (PQgetisnull(row, 0, column))
        return (struct str){0};
    return arena_copy(arena, (struct str){PQgetvalue(row, 0, column), (size_t)PQgetlength(row, 0, column)});
}

static void read_answer(const PGresult *row, int first, struct arena *arena, struct work_answer *answer)
{
    answer->status = cell(row, first + STATUS, arena);
    answer->code = cell(row, first + CODE, arena);
    answer->message = cell(row, first + MESSAGE, arena);
    answer->body = cell(row, first + BODY, arena);
}

static const char *or_null(struct str text)
{
    return text.size == 0 ? NULL : text.data;
}

static enum err simple(struct database *database, const char *sql, struct err_note *note)
{
    PGresult *result = NULL;
    enum err error = database_query(database, sql, 0, NULL, &result, note);
    PQclear(result);
    return error;
}

enum err work_rule(struct database *database, const struct work_command *command, struct arena *arena,
                   struct work_rule *rule, struct err_note *note)
{
    const char *const values[] = {command->action->name, command->order};
    PGresult *row = NULL;
    *rule = (struct work_rule){.behaviour = ACTIONS_NORMAL};
    enum err error = database_heal(database, note);
    if (error == ERR_OK)
        error = database_query(database, "SELECT what, delay_ms, code, message FROM behaviour_take($1, $2)",
                               2, values, &row, note);
    if (error != ERR_OK || PQntuples(row) == 0) {
        PQclear(row);
        return error;
    }
    check(
        actions_behaviour(cell(row, 0, arena), &rule->behaviour)); /* the table's own check allows no other */
    check(str_to_i64(cell(row, 1, arena), &rule->delay_ms));
    rule->code = cell(row, 2, arena);
    rule->message = cell(row, 3, arena);
    PQclear(row);
    return ERR_OK;
}

static enum err enter(struct database *database, const struct work_command *command, struct arena *arena,
                      bool *go, struct work_answer *answer, struct err_note *note)
{
    char attempt[16];
    snprintf(attempt, sizeof attempt, "%u", command->attempt);
    const char *const values[] = {command->key, actions_kind_text(command->action->kind), attempt};
    PGresult *row = NULL;
    enum err error = database_query(
        database, "SELECT status, code, message, body, verdict FROM saga_barrier_enter($1, $2, $3)", 3,
        values, &row, note);
    if (error != ERR_OK)
        return error;
    *go = str_equal(cell(row, BODY + 1, arena), STR("go"));
    if (!*go)
        read_answer(row, 0, arena, answer);
    answer->repeated = !*go;
    PQclear(row);
    return ERR_OK;
}

static enum err effect(struct database *database, const struct work_command *command,
                       const struct work_rule *refuse, struct arena *arena, struct work_answer *answer,
                       struct err_note *note)
{
    const char *const values[] = {command->key, command->body};
    PGresult *row = NULL;
    if (refuse != NULL) {
        answer->status = STR("rejected");
        answer->code = refuse->code.size > 0 ? refuse->code : STR("TOLD_TO_REJECT");
        answer->message =
            refuse->message.size > 0 ? refuse->message : STR("this participant was told to reject");
        return ERR_OK;
    }
    enum err error = database_query(database, command->action->effect, 2, values, &row, note);
    if (error == ERR_OK)
        read_answer(row, 0, arena, answer);
    PQclear(row);
    return error;
}

static enum err leave(struct database *database, const struct work_command *command,
                      const struct work_answer *answer, struct err_note *note)
{
    const char *const values[] = {command->key,
                                  actions_kind_text(command->action->kind),
                                  or_null(answer->status),
                                  or_null(answer->code),
                                  or_null(answer->message),
                                  or_null(answer->body)};
    PGresult *row = NULL;
    enum err error =
        database_query(database, "SELECT saga_barrier_leave($1, $2, $3, $4, $5, $6)", 6, values, &row, note);
    PQclear(row);
    return error;
}

/* Barrier, effect, barrier: one transaction. An undo that was rejected leaves no trace, so that it can be
 * asked for again. */
static enum err transact(struct database *database, const struct work_command *command,
                         const struct work_rule *refuse, struct arena *arena, struct work_answer *answer,
                         struct err_note *note)
{
    bool go = false;
    enum err error = database_heal(database, note);
    if (error == ERR_OK)
        error = simple(database, "BEGIN", note);
    if (error == ERR_OK)
        error = enter(database, command, arena, &go, answer, note);
    if (error == ERR_OK && go)
        error = effect(database, command, refuse, arena, answer, note);
    if (error != ERR_OK)
        return error;
    bool undo_refused = go && command->action->kind == ACTIONS_UNDO && !str_equal(answer->status, STR("ok"));
    if (undo_refused)
        return simple(database, "ROLLBACK", note);
    if (go)
        error = leave(database, command, answer, note);
    return error == ERR_OK ? simple(database, "COMMIT", note) : error;
}

static enum err ask(struct database *database, const struct work_command *command, struct arena *arena,
                    struct work_answer *answer, struct err_note *note)
{
    const char *const values[] = {command->key};
    PGresult *row = NULL;
    enum err error = database_heal(database, note);
    if (error == ERR_OK)
        error = database_query(database, "SELECT status, code, message, body FROM saga_barrier_verify($1)", 1,
                               values, &row, note);
    if (error == ERR_OK)
        read_answer(row, 0, arena, answer);
    PQclear(row);
    return error;
}

/* A failed transaction left nothing behind, or (its COMMIT's answer was lost) a record that the next attempt
 * will find. Values the database cannot take will not be better next time. */
static void failed(enum err error, const struct err_note *note, struct arena *arena,
                   struct work_answer *answer)
{
    bool bad_input = error == ERR_INVALID;
    *answer = (struct work_answer){.status = bad_input ? STR("rejected") : STR("retry"),
                                   .code = bad_input ? STR("BAD_INPUT") : STR("DATABASE"),
                                   .message = arena_copy(arena, str_trim(str_from(note->text)))};
}

void work_run(struct database *database, const struct work_command *command, const struct work_rule *refuse,
              struct arena *arena, struct work_answer *answer)
{
    struct err_note note = {""};
    enum err error = ERR_INVALID;
    *answer = (struct work_answer){0};
    switch (command->action->kind) {
    case ACTIONS_DO:
    case ACTIONS_UNDO:
        error = transact(database, command, refuse, arena, answer, &note);
        break;
    case ACTIONS_VERIFY:
        error = refuse == NULL ? ask(database, command, arena, answer, &note)
                               : effect(database, command, refuse, arena, answer, &note);
        break;
    }
    if (error != ERR_OK)
        failed(error, &note, arena, answer);
}
