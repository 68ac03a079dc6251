/* The rules that one saga's journal can show: a small model of its own, fed with the records in order. */
#include "tests/integration/checker_parts.h"

static bool is(struct str text, const char *literal)
{
    return str_equal(text, str_from(literal));
}

#define PROBLEM(walk, rule, ...) checker_problem((walk)->checker, rule, (walk)->saga->id, __VA_ARGS__)

static struct str command_id(struct checker_walk *walk, struct str step, struct str kind, int64_t attempt)
{
    return checker_text(walk->checker, "%.*s/%.*s/%.*s/%lld", STR_ARG(walk->saga->id), STR_ARG(step),
                        STR_ARG(kind), (long long)attempt);
}

static bool settled_forward(const struct checker_view *view)
{
    return view->opened && (is(view->state, "done") || is(view->state, "waived"));
}

/* A later step that still has something to undo, or is being undone, or may yet come to have an effect. */
static bool holds_back(const struct checker_view *view)
{
    return view->opened && !is(view->state, "undone") && !is(view->state, "undo_waived") &&
           !is(view->state, "rejected") && !is(view->state, "waived");
}

/* Whatever a scope was left with when it was undone. */
static bool is_over(const struct checker_view *view)
{
    return is(view->state, "undone") || is(view->state, "undo_waived") || is(view->state, "rejected");
}

static bool opened_somewhere(const struct checker_walk *walk, unsigned step)
{
    for (uint32_t i = 0; i < walk->view_count; i++)
        if (walk->views[i].step == step && walk->views[i].opened)
            return true;
    return false;
}

static void check_do(struct checker_walk *walk, const struct checker_view *view)
{
    for (uint32_t i = 0; i < walk->view_count; i++) {
        const struct checker_view *first = &walk->views[i];
        if (checker_before(walk, first, view) && first->opened && !settled_forward(first) &&
            !(checker_step(walk, first)->scoped && is_over(first)))
            PROBLEM(walk, "S6", "step %.*s is commanded while %.*s is %.*s", STR_ARG(view->path),
                    STR_ARG(first->path), STR_ARG(first->state));
    }
    for (unsigned i = 0; i < CHECKER_STEPS; i++) {
        const struct checker_step *step = &walk->plan->steps[i];
        if ((checker_step(walk, view)->before & 1u << i) != 0 && !step->maybe && !step->scoped &&
            !opened_somewhere(walk, i))
            PROBLEM(walk, "S6", "step %.*s is commanded before %c has begun", STR_ARG(view->path),
                    'a' + (int)i);
    }
    if (walk->back)
        PROBLEM(walk, "S7", "step %.*s is commanded after the decision to go back", STR_ARG(view->path));
}

/* At its beginning: what is under way when another step succeeds late goes on beside it. */
static void check_undo(struct checker_walk *walk, const struct checker_view *view)
{
    if (!view->forced && !is(view->state, "done") && !is(view->state, "in_doubt") &&
        !is(view->state, "waived"))
        PROBLEM(walk, "S8", "step %.*s is undone though it is %.*s", STR_ARG(view->path),
                STR_ARG(view->state));
    for (uint32_t i = 0; i < walk->view_count; i++) {
        const struct checker_view *later = &walk->views[i];
        if (checker_step(walk, view)->scoped && !checker_step(walk, later)->scoped)
            continue; /* the saga goes on behind a scope that was undone, and a success may come later still
                       */
        if (checker_before(walk, view, later) && holds_back(later) &&
            checker_step(walk, later)->attempts[CHECKER_UNDO] > 0)
            PROBLEM(walk, "S9", "step %.*s is undone before %.*s, which is %.*s", STR_ARG(view->path),
                    STR_ARG(later->path), STR_ARG(later->state));
    }
}

/* {"n":…,"how":…} and, for an undo, "of": what the step's own reply said. */
static void check_body(struct checker_walk *walk, const struct checker_view *view, enum checker_kind kind,
                       struct str body)
{
    struct str name = str_slice(view->path, 0, 1);
    struct str n = json_text(&walk->checker->arena, json_get(walk->input, STR("n")));
    const struct json *hows = json_get(walk->input, kind == CHECKER_UNDO ? STR("undo") : STR("how"));
    const struct json *items = json_get(walk->input, STR("items"));
    struct str how = json_get_str(hows, name);
    struct str wanted;
    if (kind != CHECKER_UNDO && view->item >= 0 && items != NULL && (uint32_t)view->item < items->count)
        how = json_get_str(items->items[view->item], name);
    if (kind != CHECKER_UNDO)
        wanted = checker_text(walk->checker, "{\"n\":%.*s,\"how\":\"%.*s\"}", STR_ARG(n), STR_ARG(how));
    else if (view->succeeded)
        wanted = checker_text(walk->checker, "{\"n\":%.*s,\"how\":\"%.*s\",\"of\":\"%.*s/%.*s\"}", STR_ARG(n),
                              STR_ARG(how), STR_ARG(walk->saga->id), STR_ARG(view->path));
    else
        wanted = checker_text(walk->checker, "{\"n\":%.*s,\"how\":\"%.*s\",\"of\":null}", STR_ARG(n),
                              STR_ARG(how));
    if (!view->forced && !str_equal(wanted, body))
        PROBLEM(walk, "S24", "step %.*s is commanded with %.*s, the definition says %.*s",
                STR_ARG(view->path), STR_ARG(body), STR_ARG(wanted));
}

static void take_send(struct checker_walk *walk, struct checker_view *view, const struct json *change)
{
    const struct checker_step *step = checker_step(walk, view);
    enum checker_kind kind = checker_kind(json_get_str(change, STR("kind")));
    int64_t attempt = 0;
    bool told = json_get_i64(change, STR("attempt"), &attempt);
    if (kind == CHECKER_NO_KIND || !told) {
        PROBLEM(walk, "S13", "a command of no kind or without an attempt");
        return;
    }
    if (attempt != ++view->sent[kind])
        PROBLEM(walk, "S14", "attempt %lld of %.*s follows attempt %lld", (long long)attempt,
                STR_ARG(view->path), (long long)view->sent[kind] - 1);
    if (attempt > step->attempts[kind] * (1 + view->grants[kind]))
        PROBLEM(walk, "S14", "attempt %lld of %.*s is over what the definition allows", (long long)attempt,
                STR_ARG(view->path));
    if (kind == CHECKER_DO)
        check_do(walk, view);
    if (kind == CHECKER_UNDO && !walk->back && !step->scoped)
        PROBLEM(walk, "S8", "step %.*s is undone while the saga goes forward", STR_ARG(view->path));
    struct checker_send *send = arena_new(&walk->checker->arena, struct checker_send);
    send->command =
        command_id(walk, json_get_str(change, STR("step")), json_get_str(change, STR("kind")), attempt);
    send->to = json_get_str(change, STR("to"));
    const struct json *body = json_get(change, STR("body"));
    send->body = json_text(&walk->checker->arena, body == NULL ? &json_null : body);
    if (map_set(&walk->checker->sends, send->command, send) != NULL)
        PROBLEM(walk, "S13", "%.*s is commanded twice in the journal", STR_ARG(send->command));
    if (step->logged)
        check_body(walk, view, kind, send->body);
}

static void take_state(struct checker_walk *walk, struct checker_view *view, const struct json *change)
{
    struct str state = json_get_str(change, STR("state"));
    bool undoing =
        is(view->state, "undo_stuck") || is(view->state, "undo_waiting") || is(view->state, "undoing");
    bool again = is(view->state, "undone") || is(view->state, "undo_waived") || undoing;
    if (is(state, "undo_waiting") && !undoing)
        check_undo(walk, view);
    if (is(state, "done") || is(state, "in_doubt") || is(state, "waived")) {
        view->successes += view->successes == 0 || again;
        view->grants[CHECKER_UNDO] += again;
    }
    view->awaited |= is(state, "awaiting");
    bool given_up = again || is(view->state, "rejected") || is(view->state, "in_doubt");
    view->late |= is(state, "done") && (walk->back || given_up);
    view->undone += is(state, "undone");
    view->state = state;
}

static void take_step_change(struct checker_walk *walk, const struct json *change, struct str what)
{
    struct checker_view *view = checker_view(walk, json_get_str(change, STR("step")));
    if (view == NULL) {
        PROBLEM(walk, "S4", "a change of a step that the definition has not: %.*s",
                STR_ARG(json_get_str(change, STR("step"))));
        return;
    }
    int64_t due_us = 0;
    (void)json_get_i64(change, STR("due"), &due_us);
    if (is(what, "open")) {
        view->opened = true;
        view->state = STR("waiting");
        due_us = walk->record->at_us;
    }
    if (is(what, "send")) {
        take_send(walk, view, change);
        enum checker_kind kind = checker_kind(json_get_str(change, STR("kind")));
        view->state = kind == CHECKER_DO       ? STR("sent")
                      : kind == CHECKER_VERIFY ? STR("verifying")
                                               : STR("undoing");
    }
    if (is(what, "step"))
        take_state(walk, view, change);
    if (is(what, "output"))
        view->succeeded = true;
    if (is(what, "budget") && checker_kind(json_get_str(change, STR("kind"))) != CHECKER_NO_KIND)
        view->grants[checker_kind(json_get_str(change, STR("kind")))]++;
    if (is(what, "open") || is(what, "send") || is(what, "step") || is(what, "extend") || is(what, "move"))
        view->due_us = due_us;
}

static bool is_end(struct str status)
{
    return is(status, "completed") || is(status, "compensated") || is(status, "terminated");
}

/* True when the record holds a success that came late: that, and the wish of a child's parent to have it
 * undone, open an ended saga again. */
static bool has_output(const struct facts_record *record)
{
    for (uint32_t i = 0; i < record->changes->count; i++)
        if (is(json_get_str(record->changes->items[i], STR("change")), "output"))
            return true;
    return false;
}

static void take_status(struct checker_walk *walk, const struct json *change)
{
    struct str status = json_get_str(change, STR("status"));
    bool late = is(walk->status, "compensated") && has_output(walk->record);
    bool by_parent = is(walk->status, "completed") && is(walk->record->kind, "undo");
    bool in_scope = is(walk->status, "completed") && is(status, "running") && has_output(walk->record);
    bool reopened = in_scope || (is(status, "compensating") && (late || by_parent));
    if (walk->ended && !reopened)
        PROBLEM(walk, "S5", "%.*s after %.*s", STR_ARG(status), STR_ARG(walk->status));
    walk->status = status;
    walk->back = is(json_get_str(change, STR("direction")), "back");
    walk->ended = is_end(status);
}

/* Each event serves one await, once. */
static void take_event(struct checker_walk *walk, const struct json *change)
{
    struct checker_view *view = checker_view(walk, json_get_str(change, STR("step")));
    int64_t index = 0;
    bool told = json_get_i64(change, STR("index"), &index);
    if (view == NULL || !told || index < 0 || index >= walk->kept) {
        PROBLEM(walk, "S15", "an await takes event %lld, and %u have come", (long long)index, walk->kept);
        return;
    }
    if (walk->taken[index])
        PROBLEM(walk, "S15", "event %lld is taken twice, by %.*s now", (long long)index, STR_ARG(view->path));
    walk->taken[index] = true;
    view->taken++;
}

static void take_change(struct checker_walk *walk, const struct json *change)
{
    struct str what = json_get_str(change, STR("change"));
    if (is(what, "keep") && ++walk->kept > CHECKER_SIGNALS)
        PROBLEM(walk, "S15", "more than %d events", CHECKER_SIGNALS);
    if (is(what, "take") || is(what, "drop"))
        take_event(walk, change);
    if (is(what, "status"))
        take_status(walk, change);
    else if (is(what, "open") || is(what, "send") || is(what, "step") || is(what, "output") ||
             is(what, "budget") || is(what, "extend") || is(what, "move"))
        take_step_change(walk, change, what);
}

static void check_reply(struct checker_walk *walk, const struct json *event)
{
    const struct facts_record *record = walk->record;
    struct checker_view *view = checker_view(walk, record->step);
    struct str kind_text = json_get_str(event, STR("kind"));
    struct str status = json_get_str(event, STR("status"));
    struct str participant = json_get_str(event, STR("participant"));
    enum checker_kind kind = checker_kind(kind_text);
    if (view == NULL || kind == CHECKER_NO_KIND) {
        PROBLEM(walk, "S15", "seq %lld is a reply to nothing", (long long)record->seq);
        return;
    }
    const struct checker_step *plan = checker_step(walk, view);
    int64_t newest = view->sent[kind];
    if (record->attempt < 1 || record->attempt > newest)
        PROBLEM(walk, "S15", "a reply to attempt %lld of %.*s, which was never scheduled",
                (long long)record->attempt, STR_ARG(view->path));
    if (participant.size > 0 && !is(participant, plan->participant))
        PROBLEM(walk, "S15", "%.*s answered for %s", STR_ARG(participant), plan->participant);
    if (!is(status, "ok") && record->attempt != newest && !is(STR("sagad"), plan->participant))
        PROBLEM(walk, "S15", "%.*s of attempt %lld was taken, the newest is %lld", STR_ARG(status),
                (long long)record->attempt, (long long)newest);
    struct str said = checker_text(walk->checker, "%.*s %.*s",
                                   STR_ARG(command_id(walk, record->step, kind_text, record->attempt)),
                                   STR_ARG(is(status, "unusable") ? STR("garbage") : status));
    if (plan->logged && map_get(&walk->checker->replies, said) == NULL)
        PROBLEM(walk, "S15", "no participant ever said %.*s", STR_ARG(said));
    if (!is(status, "pending") && map_set(&walk->checker->cited, said, walk) != NULL)
        PROBLEM(walk, "S15", "%.*s is cited twice", STR_ARG(said));
}

static void check_timer(struct checker_walk *walk)
{
    struct checker_view *view = checker_view(walk, walk->record->step);
    if (view == NULL)
        return; /* the saga's own deadline */
    if (view->due_us == 0)
        PROBLEM(walk, "S22", "a timer of %.*s fired that was not set, at seq %lld", STR_ARG(view->path),
                (long long)walk->record->seq);
    else if (walk->record->at_us < view->due_us)
        PROBLEM(walk, "S22", "the timer of %.*s fired %lld us early", STR_ARG(view->path),
                (long long)(view->due_us - walk->record->at_us));
    view->due_us = 0;
}

static void take_record(struct checker_walk *walk)
{
    const struct facts_record *record = walk->record;
    const struct json *event = json_get(record->data, STR("event"));
    if (is(record->kind, "start")) {
        walk->input = json_get(event, STR("input"));
        walk->status = STR("running");
    }
    if (is(record->kind, "reply"))
        check_reply(walk, event);
    if (is(record->kind, "timer"))
        check_timer(walk);
    if (is(record->kind, "force") && checker_view(walk, record->step) != NULL)
        checker_view(walk, record->step)->forced = true;
    for (uint32_t i = 0; record->changes != NULL && i < record->changes->count; i++)
        take_change(walk, record->changes->items[i]);
}

static void take_parent(struct checker_walk *walk)
{
    struct checker *checker = walk->checker;
    if (walk->saga->parent.size == 0 || walk->saga->record_count == 0)
        return;
    const struct json *event = json_get(checker->facts->records[walk->saga->first_record].data, STR("event"));
    walk->parent_step = json_get_str(event, STR("parent_step"));
    struct str place =
        checker_text(checker, "%.*s %.*s", STR_ARG(walk->saga->parent), STR_ARG(walk->parent_step));
    struct checker_walk *other = map_set(&checker->children, place, walk);
    walk->again = other != NULL;
    if (other != NULL)
        other->again = true;
}

void checker_journal(struct checker *checker, const struct facts_saga *saga, struct checker_walk *walk)
{
    *walk = (struct checker_walk){.checker = checker, .saga = saga, .plan = checker_plan(saga->definition)};
    if (walk->plan == NULL) {
        PROBLEM(walk, "S23", "a definition that nobody made: %.*s", STR_ARG(saga->definition));
        return;
    }
    walk->views = arena_array(&checker->arena, CHECKER_VIEWS, sizeof *walk->views);
    take_parent(walk);
    int64_t lsn = 0;
    for (uint32_t i = 0; i < saga->record_count; i++) {
        walk->record = &checker->facts->records[saga->first_record + i];
        if (walk->record->seq != i + 1)
            PROBLEM(walk, "S4", "seq %lld stands where %u should", (long long)walk->record->seq, i + 1);
        if ((i == 0) != is(walk->record->kind, "start"))
            PROBLEM(walk, "S4", "a start that is not the first record, or a first record that is no start");
        if (walk->record->lsn < lsn)
            PROBLEM(walk, "S4", "lsn %lld follows %lld", (long long)walk->record->lsn, (long long)lsn);
        lsn = walk->record->lsn;
        take_record(walk);
    }
}
