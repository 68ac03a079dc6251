/* What a new owner reads, and what is sent again from the journal, after a takeover as after a refused
 * publish: one way of repair, not two. Called by runner.c, intake.c, refusal.c and others. Never sends what
 * is not outstanding any more, and never takes a body from memory. */
#include "engine/runtime/recovery.h"

#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/core/record.h"
#include "engine/ops/log.h"
#include "engine/runtime/act.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/lifecycle.h"
#include "engine/runtime/loader.h"
#include "engine/runtime/sending.h"

/* Rows read at once when sending again: bounds memory; a second of work for the broker. */
enum { RESEND_ROWS = 2048 };
/* What a broker refuses it will mostly refuse again: a full stream stays full for as long as its participant
 * takes nothing. So while some of a repair is refused the next one is later and smaller, down to a few
 * messages each 6.4 s, which find the end of the trouble. */
enum { RESEND_ROWS_LEAST = 8, RESEND_TRIES_MAX = 4 };
static const int64_t resend_pause_us = 200000; /* between repairs, doubled with each try that was refused */

/* A saga whose last record is in a time that has not come is looked at now: decide_clock. */
static void wake_if_to_come(struct runner *runner, struct resident_entry *entry, int64_t updated_us)
{
    int64_t now_us = runner_now_us(runner);
    if (updated_us > now_us + timekeeper_jump_us)
        heap_set(&runner->resident.timers, &entry->timer, now_us);
}

enum err recovery_enter(struct runner *runner, uint32_t shard, struct err_note *note)
{
    struct arena arena;
    struct store_open_saga *open = NULL;
    uint32_t count = 0;
    arena_init(&arena, 0);
    enum err error = store_open_sagas(runner->store, shard, &arena, &open, &count, note);
    for (uint32_t i = 0; error == ERR_OK && i < count; i++) {
        struct resident_entry *entry = resident_enter(&runner->resident, open[i].id);
        if (open[i].wake_us > 0)
            heap_set(&runner->resident.timers, &entry->timer, open[i].wake_us);
        wake_if_to_come(runner, entry, open[i].updated_us);
    }
    arena_fini(&arena);
    return error;
}

static enum err place(struct runner *runner, struct resident_entry *entry, const struct store_saga *row,
                      const struct store_record *records, uint32_t count, struct arena *scratch,
                      struct err_note *note)
{
    struct registry *registry = runner->engine->registry;
    const struct plan *plan = registry_by_hash(registry, row->hash);
    enum err error = plan == NULL ? registry_learn(registry, runner->store, row->definition, note) : ERR_OK;
    if (error != ERR_OK)
        return error;
    plan = registry_by_hash(registry, row->hash);
    entry->unplanned = plan == NULL;
    if (plan == NULL)
        return err_note(note, ERR_NOT_FOUND, "its definition %.*s version %d is not loaded here: left alone",
                        STR_ARG(row->definition), row->version);
    struct core_saga *saga = resident_place(&runner->resident, entry, plan);
    error = loader_fold(plan, row->id, records, count, &entry->arena, scratch, saga, note);
    resident_weigh(&runner->resident, entry);
    if (error != ERR_OK) {
        resident_unload(&runner->resident, entry);
        return error;
    }
    delivery_review(runner, entry); /* memory was ahead of the database, or behind it, when it was dropped */
    resident_time(&runner->resident, entry);
    if (!core_ended(saga))
        wake_if_to_come(runner, entry, saga->updated_us);
    return ERR_OK;
}

/* A saga whose journal cannot be read stays known, so that messages for it are told apart from those for
 * none; it is looked at again now and then, in case somebody mends it. */
static enum err take_saga(struct runner *runner, const struct store_saga *row,
                          const struct store_record *records, uint32_t count, struct arena *scratch,
                          struct err_note *note)
{
    struct resident_entry *entry = resident_enter(&runner->resident, row->id);
    if (entry->saga != NULL)
        return ERR_OK;
    enum err error = place(runner, entry, row, records, count, scratch, note);
    if (error == ERR_UNAVAILABLE || error == ERR_UNKNOWN_OUTCOME)
        return error; /* the definition could not be asked for: that says nothing about the saga */
    bool was = entry->broken || entry->named;
    entry->broken = error != ERR_OK && !entry->unplanned;
    entry->named = error != ERR_OK;
    if (error == ERR_OK || was)
        return ERR_OK;
    char text[ID_TEXT_SIZE + 1];
    id_format(row->id, text);
    log_error("saga_not_loaded", "saga=%s why=%s", text, note->text);
    return ERR_OK;
}

static uint32_t missing(struct runner *runner, const struct id *ids, uint32_t count, struct id *wanted)
{
    uint32_t wanted_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct resident_entry *entry = resident_find(&runner->resident, ids[i]);
        if (entry == NULL || entry->saga == NULL)
            wanted[wanted_count++] = ids[i];
    }
    return wanted_count;
}

enum err recovery_load(struct runner *runner, const struct id *ids, uint32_t count, struct err_note *note)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct id *wanted = arena_array(&arena, count, sizeof *wanted);
    struct store_saga *sagas = NULL;
    struct store_record *records = NULL;
    uint32_t saga_count = 0, record_count = 0;
    uint32_t wanted_count = missing(runner, ids, count, wanted);
    enum err error = ERR_OK;
    if (wanted_count > 0)
        error = store_load_many(runner->store, wanted, wanted_count, &arena, &sagas, &saga_count, &records,
                                &record_count, note);
    uint32_t at = 0;
    for (uint32_t i = 0; error == ERR_OK && i < saga_count; i++) {
        uint32_t from = at;
        while (at < record_count && id_equal(records[at].id, sagas[i].id))
            at++;
        error = take_saga(runner, &sagas[i], records + from, at - from, &arena, note);
    }
    arena_fini(&arena);
    return error;
}

static void send_change(struct runner *runner, const struct core_saga *saga, const struct store_record *row,
                        const struct json *change, struct arena *arena)
{
    enum core_kind kind;
    int64_t attempt = 0;
    struct str path = json_get_str(change, STR("step"));
    if (!core_kind_parse(json_get_str(change, STR("kind")), &kind) ||
        !json_get_i64(change, STR("attempt"), &attempt))
        return;
    for (uint16_t i = 0; i < saga->step_count; i++) {
        if (!str_equal(core_step_path(saga, i), path) || core_history_lost(saga) ||
            !core_outstanding(saga, i, kind, (uint32_t)attempt))
            continue;
        struct batch_send send =
            sending_command(saga, i, kind, (uint32_t)attempt, json_get(change, STR("body")), row->lsn, arena);
        act_send(runner, &send, true);
    }
}

/* The reason as it was then, where this record gave it: the saga may have another one by now. */
static void set_reason(struct core_saga *then, const struct json *changes)
{
    for (uint32_t i = 0; changes != NULL && i < changes->count; i++) {
        struct str what = json_get_str(changes->items[i], STR("change"));
        struct str code = json_get_str(changes->items[i], STR("code"));
        struct str message = json_get_str(changes->items[i], STR("message"));
        if (str_equal(what, STR("cause"))) {
            then->cause_code = code;
            then->cause_message = message;
        } else if (str_equal(what, STR("park"))) {
            then->park_code = code;
            then->park_message = message;
        }
    }
}

static void send_event(struct runner *runner, const struct core_saga *saga, const struct store_record *row,
                       const struct json *changes, struct str what, enum core_status status,
                       struct arena *arena)
{
    struct core_saga then = *saga;
    then.seq = row->seq; /* part of the event's id */
    then.updated_us = row->at_us;
    then.status = status;
    set_reason(&then, changes);
    struct batch_send send = sending_event(&then, what, row->lsn, arena);
    act_send(runner, &send, true);
}

static void send_row(struct runner *runner, const struct store_record *row, struct arena *arena)
{
    const struct resident_entry *entry = resident_find(&runner->resident, row->id);
    const struct json *data = NULL;
    struct err_note note;
    if (entry == NULL || entry->saga == NULL ||
        json_parse(arena, row->data, SIZE_MAX, &data, &note) != ERR_OK)
        return;
    const struct json *changes = json_get(data, STR("changes"));
    const struct core_saga *saga = entry->saga;
    bool events = runner->engine->options.events;
    enum core_status status;
    if (events && str_equal(row->kind, core_event_text(CORE_EVENT_START)))
        send_event(runner, saga, row, changes, lifecycle_of_start(), CORE_RUNNING, arena);
    for (uint32_t i = 0; changes != NULL && i < changes->count; i++)
        if (str_equal(json_get_str(changes->items[i], STR("change")), STR("send")))
            send_change(runner, saga, row, changes->items[i], arena);
    bool moved = false;
    for (uint32_t i = 0; changes != NULL && i < changes->count; i++) {
        if (!str_equal(json_get_str(changes->items[i], STR("change")), STR("status")) ||
            !core_status_parse(json_get_str(changes->items[i], STR("status")), &status))
            continue;
        moved = true;
        if (events)
            send_event(runner, saga, row, changes, lifecycle_of_status(status), status, arena);
    }
    if (moved && sending_is_due(saga)) {
        struct batch_send send = sending_end(saga, row->lsn, arena);
        act_send(runner, &send, true);
    }
}

static void send_command(struct runner *runner, const struct recovery_command *command,
                         const struct store_record *row, struct arena *arena)
{
    const struct resident_entry *entry = resident_find(&runner->resident, command->saga);
    const struct json *data = NULL;
    struct err_note note;
    if (entry == NULL || entry->saga == NULL || command->step >= entry->saga->step_count ||
        json_parse(arena, row->data, SIZE_MAX, &data, &note) != ERR_OK)
        return;
    struct str path = core_step_path(entry->saga, command->step);
    const struct json *changes = json_get(data, STR("changes"));
    for (uint32_t i = 0; changes != NULL && i < changes->count; i++) {
        const struct json *change = changes->items[i];
        int64_t attempt = 0;
        if (str_equal(json_get_str(change, STR("change")), STR("send")) &&
            str_equal(json_get_str(change, STR("step")), path) &&
            str_equal(json_get_str(change, STR("kind")), core_kind_text(command->kind)) &&
            json_get_i64(change, STR("attempt"), &attempt) && attempt == command->attempt)
            send_change(runner, entry->saga, row, change, arena);
    }
}

static uint32_t distinct_sagas(const struct recovery_command *commands, uint32_t count, struct id *ids)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < found && !id_equal(ids[at], commands[i].saga))
            at++;
        ids[at] = commands[i].saga;
        found += at == found;
    }
    return found;
}

enum err recovery_send(struct runner *runner, const struct recovery_command *commands, uint32_t count,
                       struct err_note *note)
{
    struct arena arena;
    struct store_saga *sagas = NULL;
    struct store_record *rows = NULL;
    uint32_t saga_count = 0, row_count = 0;
    arena_init(&arena, 0);
    struct id *ids = arena_array(&arena, count, sizeof *ids);
    uint32_t id_count = distinct_sagas(commands, count, ids);
    enum err error = recovery_load(runner, ids, id_count, note);
    if (error == ERR_OK)
        error = store_load_many(runner->store, ids, id_count, &arena, &sagas, &saga_count, &rows, &row_count,
                                note);
    for (uint32_t i = 0; error == ERR_OK && i < count; i++)
        for (uint32_t row = 0; row < row_count; row++)
            if (id_equal(rows[row].id, commands[i].saga) && rows[row].lsn == commands[i].lsn)
                send_command(runner, &commands[i], &rows[row], &arena);
    arena_fini(&arena);
    return error;
}

static uint32_t rows_of_repair(const struct runner_shard *shard)
{
    uint32_t rows = RESEND_ROWS >> 2 * shard->resend_tries;
    return rows > RESEND_ROWS_LEAST ? rows : RESEND_ROWS_LEAST;
}

static enum err resend(struct runner *runner, uint32_t number, struct err_note *note)
{
    struct runner_shard *shard = &runner->shards[number];
    uint32_t most = rows_of_repair(shard);
    struct arena arena;
    struct store_record *rows = NULL;
    uint32_t count = 0;
    arena_init(&arena, 0);
    int64_t from = shard->outbox.sent_lsn;
    enum err error = store_unpublished(runner->store, number, from, most, &arena, &rows, &count, note);
    struct id *ids = arena_array(&arena, count, sizeof *ids);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = rows[i].id;
    if (error == ERR_OK)
        error = recovery_load(runner, ids, count, note);
    if (error == ERR_OK) {
        shard->outbox.behind = count == most; /* a failing send below sets it again */
        for (uint32_t i = 0; i < count; i++)
            send_row(runner, &rows[i], &arena);
        outbox_sent(&shard->outbox, count == most ? rows[count - 1].lsn : shard->store.last_lsn);
        bus_flush(runner->engine->bus);
        if (count > 0)
            log_info("resent", "shard=%u rows=%u from_lsn=%lld", number, count, (long long)from);
    }
    arena_fini(&arena);
    return error;
}

/* Repairs in a row that were refused, the last one included. */
static uint32_t tries_of(const struct runner_shard *shard)
{
    if (shard->outbox.refused_count == 0)
        return 0;
    return shard->resend_tries < RESEND_TRIES_MAX ? shard->resend_tries + 1 : RESEND_TRIES_MAX;
}

bool recovery_resend(struct runner *runner)
{
    bool behind = false;
    int64_t now_us = engine_clock_us(runner->engine);
    for (uint32_t i = 0; i < runner->engine->shard_count; i++) {
        struct runner_shard *shard = &runner->shards[i];
        if (!shard->owned || !shard->outbox.behind)
            continue;
        behind = true;
        bool connected = atomic_load(&runner->engine->bus_connected);
        if (!connected)
            shard->resend_tries = 0; /* whoever comes back is asked at once */
        uint32_t tries = tries_of(shard);
        if (!connected || now_us < shard->resent_us + (resend_pause_us << tries) ||
            !outbox_restart(&shard->outbox))
            continue;
        struct err_note note = {""};
        shard->resend_tries = tries;
        shard->resent_us = now_us;
        if (resend(runner, i, &note) != ERR_OK)
            log_warn("resend_failed", "shard=%u why=%s", i, note.text);
    }
    return behind;
}
