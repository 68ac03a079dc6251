/* The rules at the end: the stored row against the journal, the participants' effects against both, what
 * participants saw, what the client was told. */
#include "tests/integration/checker_parts.h"

#include <string.h>

static bool is(struct str text, const char *literal)
{
    return str_equal(text, str_from(literal));
}

#define PROBLEM(walk, rule, ...) checker_problem((walk)->checker, rule, (walk)->saga->id, __VA_ARGS__)

/* --- one saga ------------------------------------------------------------------------------------------ */

const struct checker_key *checker_key_of(struct checker_walk *walk, const struct checker_view *view)
{
    static const struct checker_key nothing;
    struct str key = checker_text(walk->checker, "%.*s/%.*s", STR_ARG(walk->saga->id), STR_ARG(view->path));
    const struct checker_key *found = map_get(&walk->checker->keys, key);
    return found == NULL ? &nothing : found;
}

static void check_row(struct checker_walk *walk)
{
    const struct facts_saga *saga = walk->saga;
    if (saga->seq != saga->record_count)
        PROBLEM(walk, "S4", "the row is at seq %lld, the journal has %u", (long long)saga->seq,
                saga->record_count);
    if (!str_equal(saga->status, walk->status) || saga->ended != walk->ended)
        PROBLEM(walk, "S4", "the row says %.*s, the journal %.*s", STR_ARG(saga->status),
                STR_ARG(walk->status));
    if (!str_equal(saga->hash, saga->definition_hash))
        PROBLEM(walk, "S23", "its definition is not the one it started with");
    if (saga->overdue)
        PROBLEM(walk, "S22", "its timer was due long ago");
    if (is(saga->status, "parked") && saga->reason_code.size == 0)
        PROBLEM(walk, "S11", "parked without a reason");
}

static bool has_undo(const struct checker_walk *walk, const struct checker_view *view)
{
    return checker_step(walk, view)->attempts[CHECKER_UNDO] > 0;
}

static void check_completed(struct checker_walk *walk, const struct checker_view *view)
{
    const struct checker_key *key = checker_key_of(walk, view);
    if (!is(view->state, "done") && !is(view->state, "waived"))
        PROBLEM(walk, "S10", "completed while %.*s is %.*s", STR_ARG(view->path), STR_ARG(view->state));
    if (view->sent[CHECKER_UNDO] > 0)
        PROBLEM(walk, "S10", "completed though %.*s was undone", STR_ARG(view->path));
    if (is(view->state, "done") && !view->forced && checker_step(walk, view)->logged &&
        (key->do_effects != 1 || key->undo_effects != 0))
        PROBLEM(walk, "S11", "completed, and the effect of %.*s is there %u times, undone %u times",
                STR_ARG(view->path), key->do_effects, key->undo_effects);
}

static void check_never_begun(struct checker_walk *walk)
{
    for (unsigned step = 0; step < CHECKER_STEPS; step++) {
        const struct checker_step *wanted = &walk->plan->steps[step];
        bool begun = wanted->participant == NULL || wanted->maybe || wanted->scoped;
        for (uint32_t i = 0; i < walk->view_count && !begun; i++)
            begun = walk->views[i].step == step && walk->views[i].opened;
        if (!begun)
            PROBLEM(walk, "S10", "completed, and %c never began", 'a' + (int)step);
    }
}

static void check_compensated(struct checker_walk *walk, const struct checker_view *view)
{
    const struct checker_key *key = checker_key_of(walk, view);
    bool undoable = has_undo(walk, view);
    bool fine = !view->opened || is(view->state, "rejected") || is(view->state, "undone") ||
                is(view->state, "undo_waived") || is(view->state, "waived") || !undoable;
    if (!fine)
        PROBLEM(walk, "S8", "compensated while %.*s is %.*s", STR_ARG(view->path), STR_ARG(view->state));
    if (undoable && !view->forced && checker_step(walk, view)->logged && !is(view->state, "undo_waived") &&
        key->do_effects != key->undo_effects)
        PROBLEM(walk, "S11", "compensated, and the effect of %.*s is there %u times, undone %u times",
                STR_ARG(view->path), key->do_effects, key->undo_effects);
}

/* A scope is there as a whole or not at all. */
static void check_scope(struct checker_walk *walk)
{
    const struct checker_view *kept = NULL, *gone = NULL;
    for (uint32_t i = 0; i < walk->view_count; i++) {
        const struct checker_view *view = &walk->views[i];
        if (!checker_step(walk, view)->scoped)
            continue;
        if (is(view->state, "done"))
            kept = view;
        else
            gone = view;
    }
    if (kept != NULL && gone != NULL)
        PROBLEM(walk, "S8", "of one scope %.*s is done and %.*s is %.*s", STR_ARG(kept->path),
                STR_ARG(gone->path), STR_ARG(gone->state));
}

static void check_view(struct checker_walk *walk, const struct checker_view *view)
{
    bool scoped = checker_step(walk, view)->scoped && !is(view->state, "done");
    if (view->undone > (view->successes == 0 ? 1 : view->successes))
        PROBLEM(walk, "S8", "step %.*s was undone %u times", STR_ARG(view->path), view->undone);
    if (is(walk->status, "completed") && !scoped)
        check_completed(walk, view);
    if (is(walk->status, "compensated") || (is(walk->status, "completed") && scoped))
        check_compensated(walk, view);
    bool must_know =
        walk->checker->facts->lossless && !is(walk->status, "terminated") && has_undo(walk, view);
    if (view->taken > 1 || (view->awaited && is(view->state, "done") && !view->forced && view->taken != 1))
        PROBLEM(walk, "S15", "%.*s has taken %u events", STR_ARG(view->path), view->taken);
    if (must_know && checker_key_of(walk, view)->said_ok && !view->succeeded)
        PROBLEM(walk, "S16", "a success of %.*s was said, and the journal does not know it",
                STR_ARG(view->path));
}

void checker_end(struct checker_walk *walk)
{
    if (walk->plan == NULL)
        return;
    check_row(walk);
    for (uint32_t i = 0; i < walk->view_count; i++)
        check_view(walk, &walk->views[i]);
    if (is(walk->status, "completed")) {
        check_never_begun(walk);
        check_scope(walk);
    }
}

/* --- participants -------------------------------------------------------------------------------------- */

static void take_effect(struct checker *checker, struct checker_key *key, const struct facts_line *line)
{
    bool undo = is(line->kind, "undo");
    key->do_effects += !undo;
    key->undo_effects += undo;
    if (undo)
        key->undone_at_us = line->at_us;
    else
        key->done_at_us = line->at_us;
    if (key->do_effects > 1 || key->undo_effects > 1)
        checker_problem(checker, "S12", line->key, "%.*s had its effect twice", STR_ARG(line->kind));
    if (!undo && key->undo_effects > 0)
        checker_problem(checker, "S12", line->key, "an effect after its undo");
    if (undo && key->do_effects == 0)
        checker_problem(checker, "S12", line->key, "undone without an effect");
}

void checker_read_lines(struct checker *checker)
{
    for (uint32_t i = 0; i < checker->facts->line_count; i++) {
        const struct facts_line *line = &checker->facts->lines[i];
        struct checker_key *key = map_get(&checker->keys, line->key);
        if (key == NULL) {
            key = arena_new(&checker->arena, struct checker_key);
            map_set(&checker->keys, line->key, key);
        }
        if (is(line->what, "effect"))
            take_effect(checker, key, line);
        if (!is(line->what, "reply"))
            continue;
        key->said_ok |= is(line->status, "ok") && is(line->kind, "do");
        map_set(&checker->replies,
                checker_text(checker, "%.*s %.*s", STR_ARG(line->command), STR_ARG(line->status)), key);
    }
}

static void check_received(struct checker *checker, const struct facts_line *line)
{
    struct checker_send *send = map_get(&checker->sends, line->command);
    if (send == NULL) {
        checker_problem(checker, "S17", line->command, "received by %.*s, and not in the journal",
                        STR_ARG(line->participant));
        return;
    }
    send->received = true;
    struct str to = checker_text(checker, "%.*s.%.*s", STR_ARG(line->participant), STR_ARG(line->action));
    if (!str_equal(to, send->to))
        checker_problem(checker, "S13", line->command, "sent to %.*s, received by %.*s", STR_ARG(send->to),
                        STR_ARG(to));
    if (!str_equal(line->body, send->body))
        checker_problem(checker, "S13", line->command, "received as %.*s, in the journal %.*s",
                        STR_ARG(line->body), STR_ARG(send->body));
    struct str stem = checker_text(checker, "%.*s/%.*s/%lld", STR_ARG(line->key), STR_ARG(line->kind),
                                   (long long)line->attempt);
    if (!str_equal(stem, line->command))
        checker_problem(checker, "S13", line->command, "its headers name %.*s", STR_ARG(stem));
}

static bool has(struct str text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* A success of which the journal may know nothing, because its saga had ended: its dead letter is all that tells of it. */
static bool is_witness(const struct facts_line *line, const struct facts_dead *dead)
{
    return is(line->status, "ok") && (has(dead->reason, "succeeded after the saga had ended, and stays so") ||
                                      has(dead->reason, "which was done all the same"));
}

/* S16, S27: nonsense is a dead letter, once; nothing else is but what nothing undoes any more. */
static void check_nonsense(struct checker *checker, const struct facts_line *line)
{
    bool nonsense = is(line->status, "garbage") || is(line->status, "foreign");
    const struct facts_dead *dead = map_get(&checker->dead, line->id);
    if (nonsense && dead == NULL && checker->facts->lossless)
        checker_problem(checker, "S27", line->command, "%.*s left no dead letter", STR_ARG(line->id));
    if (!nonsense && dead != NULL && !is_witness(line, dead))
        checker_problem(checker, "S16", line->command, "a good reply %.*s became a dead letter",
                        STR_ARG(line->id));
}

void checker_lines(struct checker *checker)
{
    for (uint32_t i = 0; i < checker->facts->line_count; i++) {
        const struct facts_line *line = &checker->facts->lines[i];
        if (is(line->what, "recv"))
            check_received(checker, line);
        if (is(line->what, "reply"))
            check_nonsense(checker, line);
    }
}

/* --- the client ---------------------------------------------------------------------------------------- */

static bool accepted(const struct facts_start *start)
{
    return start->status == 200 || start->status == 201;
}

static bool same_json(struct checker *checker, struct str text, const struct json *value)
{
    const struct json *parsed = NULL;
    struct err_note note;
    return json_parse(&checker->arena, text, SIZE_MAX, &parsed, &note) == ERR_OK && value != NULL &&
           json_equal(parsed, value);
}

static const struct json *input_of(const struct checker *checker, const struct facts_saga *saga)
{
    if (saga->record_count == 0)
        return NULL;
    return json_get(json_get(checker->facts->records[saga->first_record].data, STR("event")), STR("input"));
}

static void check_start(struct checker *checker, const struct facts_start *start)
{
    const struct facts_saga *saga = map_get(&checker->sagas, start->id);
    if (!accepted(start))
        return;
    if (saga == NULL) {
        checker_problem(checker, "S1", start->id, "accepted, and not there");
        return;
    }
    if (!str_equal(saga->definition, start->definition) || !str_equal(saga->key, start->key))
        checker_problem(checker, "S1", start->id, "started as %.*s with key %.*s", STR_ARG(start->definition),
                        STR_ARG(start->key));
    if (start->end.size > 0 && !str_equal(start->end, saga->status))
        checker_problem(checker, "L1", start->id, "%.*s %.*s is %.*s, its plan says %.*s",
                        STR_ARG(start->definition), STR_ARG(start->key), STR_ARG(saga->status),
                        STR_ARG(start->end));
    if (!same_json(checker, start->input, input_of(checker, saga)))
        checker_problem(checker, start->status == 200 ? "S2" : "S1", start->id, "another input than %.*s",
                        STR_ARG(start->input));
}

static bool was_commanded(struct checker *checker, const struct facts_saga *child)
{
    const struct json *event = json_get(checker->facts->records[child->first_record].data, STR("event"));
    struct str step = json_get_str(event, STR("parent_step"));
    int64_t attempt = 0;
    (void)json_get_i64(event, STR("parent_attempt"), &attempt);
    const struct json *stillborn = json_get(event, STR("stillborn"));
    const char *kind = stillborn != NULL && stillborn->boolean ? "undo" : "do";
    struct str command = checker_text(checker, "%.*s/%.*s/%s/%lld", STR_ARG(child->parent), STR_ARG(step),
                                      kind, (long long)attempt);
    const struct checker_send *send = map_get(&checker->sends, command);
    return send != NULL && str_starts(send->to, STR("sagad."));
}

/* A start of this saga that the client made and was not refused, or its parent's command. */
static bool was_started(struct checker *checker, const struct facts_saga *saga)
{
    if (saga->parent.size > 0)
        return was_commanded(checker, saga);
    for (uint32_t i = 0; i < checker->facts->start_count; i++) {
        const struct facts_start *start = &checker->facts->starts[i];
        bool maybe = start->by_nats || start->status == 0 || start->status == 503;
        if (accepted(start) && str_equal(start->id, saga->id))
            return true;
        if (maybe && str_equal(start->definition, saga->definition) &&
            (start->key.size == 0 || str_equal(start->key, saga->key)) &&
            same_json(checker, start->input, input_of(checker, saga)))
            return true;
    }
    return false;
}

/* An event that was accepted stands in the journal once, however often it was sent. */
static void check_signal(struct checker *checker, const struct facts_signal *signal)
{
    const struct facts_saga *saga =
        signal->saga.size > 0
            ? map_get(&checker->sagas, signal->saga)
            : map_get(&checker->named,
                      checker_text(checker, "%.*s %.*s", STR_ARG(signal->definition), STR_ARG(signal->key)));
    uint32_t found = 0;
    for (uint32_t i = 0; saga != NULL && i < saga->record_count; i++) {
        const struct facts_record *record = &checker->facts->records[saga->first_record + i];
        const struct json *event = json_get(record->data, STR("event"));
        found += is(record->kind, "signal") && str_equal(json_get_str(event, STR("id")), signal->id);
    }
    bool sure = signal->status == 200 || signal->status == 201;
    if (found > 1 || (sure && found != 1))
        checker_problem(checker, "S1", signal->saga.size > 0 ? signal->saga : signal->key,
                        "signal %.*s was answered with %d and stands %u times in "
                        "the journal",
                        STR_ARG(signal->id), signal->status, found);
}

static uint32_t records_of(struct checker *checker, const struct facts_verb *verb)
{
    const struct facts_saga *saga = map_get(&checker->sagas, verb->id);
    uint32_t found = 0;
    for (uint32_t i = 0; saga != NULL && i < saga->record_count; i++) {
        const struct facts_record *record = &checker->facts->records[saga->first_record + i];
        const struct json *event = json_get(record->data, STR("event"));
        found += str_equal(record->kind, verb->verb) &&
                 str_equal(json_get_str(event, STR("reason")), verb->reason) &&
                 str_equal(json_get_str(event, STR("actor")), verb->actor);
    }
    return found;
}

static void check_verb(struct checker *checker, const struct facts_verb *verb)
{
    const struct facts_saga *saga = map_get(&checker->sagas, verb->id);
    uint32_t found = records_of(checker, verb);
    bool unknown = verb->status == 0 || verb->status == 503;
    if (found > 1 || (verb->status == 200 && found != 1) || (!unknown && verb->status != 200 && found != 0))
        checker_problem(checker, "S26", verb->id,
                        "%.*s was answered with %d and stands %u times in the journal", STR_ARG(verb->verb),
                        verb->status, found);
    if (verb->status == 200 && is(verb->verb, "cancel") && saga != NULL && is(saga->status, "completed"))
        checker_problem(checker, "S21", verb->id, "cancelled, and completed");
}

void checker_client(struct checker *checker)
{
    for (uint32_t i = 0; i < checker->facts->start_count; i++)
        check_start(checker, &checker->facts->starts[i]);
    for (uint32_t i = 0; i < checker->facts->verb_count; i++)
        check_verb(checker, &checker->facts->verbs[i]);
    for (uint32_t i = 0; i < checker->facts->signal_count; i++)
        check_signal(checker, &checker->facts->signals[i]);
    for (uint32_t i = 0; i < checker->facts->saga_count; i++)
        if (!was_started(checker, &checker->facts->sagas[i]))
            checker_problem(checker, "S3", checker->facts->sagas[i].id, "nobody started it");
}
