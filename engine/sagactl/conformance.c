/* sagactl conformance: the checks of conformance.def against a running participant, one after the other. Called by the
 * dispatcher of sagactl; all traffic goes through rehearsal.h. It must leave no command and no reply behind. */
#include "engine/sagactl/conformance.h"

#include <inttypes.h>
#include <stdio.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/rng.h"
#include "engine/bus/rehearsal.h"
#include "engine/ops/log.h"
#include "engine/sagactl/remote.h"
#include "engine/sagactl/show.h"

enum { PATIENCE_MS = 5000, NAME_WIDTH = 14 };

enum needs { NOTHING, UNDO, VERIFY, BOTH, REFUSED };

struct trial {
    struct invocation *invocation;
    struct arena *arena;
    struct rehearsal *rehearsal;
    struct rng rng;
    const char *act[3]; /* by core_kind: the action, or NULL */
    struct str body[3];
    struct str refused; /* "" : none */
    struct str other;   /* a body that differs from the do's */
    int64_t patience_ms;
    struct id saga;     /* of the check at hand */
    const char *wrong;  /* the first thing wrong with any reply; NULL: none */
    const char *failed; /* the broker's; NULL: it works */
};

/* An answer, or that there is none. */
struct heard {
    bool came;
    enum core_reply_status status;
    struct str code;
    struct str message;
    struct str body;
};

/* A key that no saga has. */
static void begin(struct trial *trial)
{
    trial->saga = id_make(clock_real_us(), 0, &trial->rng);
}

static void send_body(struct trial *trial, enum core_kind kind, const char *action, uint32_t attempt,
                      struct str body, bool bare)
{
    struct err_note note = {""};
    struct rehearsal_command command = {.action = str_from(action),
                                        .saga = trial->saga,
                                        .step = STR("step"),
                                        .kind = kind,
                                        .attempt = attempt,
                                        .body = body,
                                        .bare = bare};
    if (trial->failed == NULL && rehearsal_send(trial->rehearsal, &command, &note) != ERR_OK)
        trial->failed = arena_copy(trial->arena, str_from(note.text)).data;
}

static void send(struct trial *trial, enum core_kind kind, uint32_t attempt)
{
    send_body(trial, kind, trial->act[kind], attempt, trial->body[kind], false);
}

static void accuse(struct trial *trial, const char *wrong)
{
    if (trial->wrong == NULL)
        trial->wrong = wrong;
}

/* Notes what an engine could not use. */
static void inspect(struct trial *trial, const struct rehearsal_answer *answer)
{
    struct str prefix = STR("saga.reply.conformance-");
    if (answer->why.size > 0)
        accuse(trial, arena_copy(trial->arena, answer->why).data);
    else if (answer->said.status == CORE_REPLY_UNUSABLE)
        accuse(trial, arena_copy(trial->arena, answer->said.error_message).data);
    else if (str_equal(answer->said.error_code, STR("INVALID_CODE")))
        accuse(trial, arena_copy(trial->arena, answer->said.error_message).data);
    else if (answer->said.status == CORE_REPLY_REJECTED && answer->said.error_code.size == 0)
        accuse(trial, "a rejection has no Saga-Error-Code, by which definitions tell refusals apart");
    if (str_starts(answer->message_id, prefix))
        accuse(trial,
               "a reply bears the Nats-Msg-Id of its command: the broker would take the answer after a "
               "`pending` for a repetition and drop it");
}

static bool is_of(const struct trial *trial, const struct rehearsal_answer *answer, enum core_kind kind)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(trial->saga, text);
    return answer->why.size == 0 && str_starts(answer->command, str_from(text)) &&
           answer->said.command_kind == kind;
}

/* The next final answer to this kind of command of the key at hand; `pending` gives it its time anew. */
static struct heard hear(struct trial *trial, enum core_kind kind)
{
    struct err_note note;
    struct rehearsal_answer answer;
    int64_t end_us = clock_monotonic_us() + trial->patience_ms * 1000;
    for (uint32_t pending = 0; trial->failed == NULL && pending < LIMITS_PENDING_COUNT;) {
        int64_t left_ms = (end_us - clock_monotonic_us()) / 1000;
        if (left_ms <= 0 ||
            rehearsal_receive(trial->rehearsal, left_ms, trial->arena, &answer, &note) != ERR_OK)
            break;
        inspect(trial, &answer);
        if (!is_of(trial, &answer, kind))
            continue;
        if (answer.said.status != CORE_REPLY_PENDING)
            return (struct heard){.came = true,
                                  .status = answer.said.status,
                                  .code = answer.said.error_code,
                                  .message = answer.said.error_message,
                                  .body = answer.body};
        end_us = clock_monotonic_us() + trial->patience_ms * 1000;
        pending++;
    }
    return (struct heard){.came = false};
}

static struct heard ask(struct trial *trial, enum core_kind kind, uint32_t attempt)
{
    send(trial, kind, attempt);
    return hear(trial, kind);
}

/* "rejected NO_STOCK", for people. */
static const char *told(struct trial *trial, const struct heard *heard)
{
    if (!heard->came)
        return arena_printf(trial->arena, "no answer came within %" PRId64 " ms", trial->patience_ms).data;
    return arena_printf(trial->arena, "%.*s%s%.*s%s%.*s", STR_ARG(core_reply_text(heard->status)),
                        heard->code.size > 0 ? " " : "", STR_ARG(show_plain(trial->arena, heard->code)),
                        heard->message.size > 0 ? ": " : "",
                        STR_ARG(show_plain(trial->arena, heard->message)))
        .data;
}

static const char *must_be(struct trial *trial, const char *what, struct heard heard,
                           enum core_reply_status wanted)
{
    if (heard.came && heard.status == wanted)
        return NULL;
    return arena_printf(trial->arena, "%s: %s, not %.*s", what, told(trial, &heard),
                        STR_ARG(core_reply_text(wanted)))
        .data;
}

static bool same_body(struct trial *trial, struct str a, struct str b)
{
    const struct json *left = NULL, *right = NULL;
    if (str_equal(a, b))
        return true;
    return json_parse(trial->arena, a, LIMITS_PAYLOAD_BYTES, &left, NULL) == ERR_OK &&
           json_parse(trial->arena, b, LIMITS_PAYLOAD_BYTES, &right, NULL) == ERR_OK &&
           json_equal(left, right);
}

static const char *must_equal(struct trial *trial, const char *what, struct heard first, struct heard second)
{
    enum { SHOWN = 120 };
    const char *wrong = must_be(trial, what, second, first.status);
    if (wrong != NULL || same_body(trial, first.body, second.body))
        return wrong;
    return arena_printf(trial->arena, "%s: first %.*s, then %.*s", what,
                        STR_ARG(show_plain(trial->arena, str_slice(first.body, 0, SHOWN))),
                        STR_ARG(show_plain(trial->arena, str_slice(second.body, 0, SHOWN))))
        .data;
}

static const char *must_settle(struct trial *trial, const char *what)
{
    if (rehearsal_settled(trial->rehearsal, trial->patience_ms))
        return NULL;
    return arena_printf(trial->arena, "%s was not acknowledged within %" PRId64 " ms: it comes again", what,
                        trial->patience_ms)
        .data;
}

/* A do that is done, as most checks begin. */
static const char *done(struct trial *trial, struct heard *heard)
{
    *heard = ask(trial, CORE_DO, 1);
    return must_be(trial, "the do", *heard, CORE_REPLY_OK);
}

static const char *undone(struct trial *trial)
{
    struct heard heard;
    const char *wrong = done(trial, &heard);
    return wrong != NULL ? wrong : must_be(trial, "the undo", ask(trial, CORE_UNDO, 1), CORE_REPLY_OK);
}

static const char *try_answer(struct trial *trial)
{
    struct heard heard;
    const char *wrong = done(trial, &heard);
    if (!heard.came && trial->wrong != NULL)
        return arena_printf(trial->arena, "what came is no answer to the do: %s", trial->wrong).data;
    return wrong != NULL ? wrong : must_settle(trial, "the command");
}

static const char *again(struct trial *trial, uint32_t attempt, const char *what)
{
    struct heard first;
    const char *wrong = done(trial, &first);
    return wrong != NULL ? wrong : must_equal(trial, what, first, ask(trial, CORE_DO, attempt));
}

static const char *try_same_command(struct trial *trial)
{
    return again(trial, 1, "the same command again");
}

static const char *try_lost_answer(struct trial *trial)
{
    return again(trial, 2, "the next attempt");
}

static const char *try_at_once(struct trial *trial)
{
    send(trial, CORE_DO, 1);
    send(trial, CORE_DO, 2);
    struct heard first = hear(trial, CORE_DO), second = hear(trial, CORE_DO);
    const char *wrong = must_be(trial, "the first answer", first, CORE_REPLY_OK);
    return wrong != NULL ? wrong : must_equal(trial, "the answer to the other attempt", first, second);
}

static const char *try_changed_body(struct trial *trial)
{
    struct heard first;
    const char *wrong = done(trial, &first);
    if (wrong != NULL)
        return wrong;
    send_body(trial, CORE_DO, trial->act[CORE_DO], 2, trial->other, false);
    struct heard second = hear(trial, CORE_DO);
    if (second.came && second.status == CORE_REPLY_REJECTED)
        return NULL;
    return must_equal(trial, "with another body", first, second);
}

/* Whether it was another effect is told by a body only where bodies are unique, so a verify or undo must do:
 * the second key's do must be known under its own key. */
static const char *try_other_key(struct trial *trial)
{
    struct heard heard;
    const char *wrong = done(trial, &heard);
    begin(trial);
    if (wrong == NULL)
        wrong = done(trial, &heard);
    if (wrong != NULL || trial->act[CORE_VERIFY] == NULL)
        return wrong;
    return must_be(trial, "verify of the second", ask(trial, CORE_VERIFY, 1), CORE_REPLY_OK);
}

static const char *try_undo(struct trial *trial)
{
    const char *wrong = undone(trial);
    if (wrong == NULL)
        wrong = must_be(trial, "the undo again", ask(trial, CORE_UNDO, 1), CORE_REPLY_OK);
    return wrong != NULL ? wrong
                         : must_be(trial, "another attempt of it", ask(trial, CORE_UNDO, 2), CORE_REPLY_OK);
}

static const char *must_refuse_do(struct trial *trial)
{
    const char *wrong = must_be(trial, "the do's next attempt", ask(trial, CORE_DO, 2), CORE_REPLY_REJECTED);
    return wrong != NULL
               ? wrong
               : must_be(trial, "the do's first attempt, late", ask(trial, CORE_DO, 1), CORE_REPLY_REJECTED);
}

static const char *try_do_after_undo(struct trial *trial)
{
    const char *wrong = undone(trial);
    return wrong != NULL ? wrong : must_refuse_do(trial);
}

static const char *try_undo_before_do(struct trial *trial)
{
    const char *wrong =
        must_be(trial, "the undo of what was never done", ask(trial, CORE_UNDO, 1), CORE_REPLY_OK);
    if (wrong == NULL)
        wrong = must_be(trial, "it again", ask(trial, CORE_UNDO, 2), CORE_REPLY_OK);
    return wrong != NULL ? wrong : must_refuse_do(trial);
}

/* Either may come first, and the undo may find the do at work (retry): in the end nothing is done. */
static const char *try_undo_at_once(struct trial *trial)
{
    send(trial, CORE_DO, 1);
    send(trial, CORE_UNDO, 1);
    struct rehearsal_answer answer;
    struct err_note note;
    uint32_t final = 0;
    int64_t end_us = clock_monotonic_us() + trial->patience_ms * 1000;
    while (final < 2 && trial->failed == NULL) {
        int64_t left_ms = (end_us - clock_monotonic_us()) / 1000;
        if (left_ms <= 0 ||
            rehearsal_receive(trial->rehearsal, left_ms, trial->arena, &answer, &note) != ERR_OK)
            return "one of the two was not answered";
        inspect(trial, &answer);
        final += (is_of(trial, &answer, CORE_DO) || is_of(trial, &answer, CORE_UNDO)) &&
                 answer.said.status != CORE_REPLY_PENDING;
    }
    const char *wrong = must_be(trial, "the undo's next attempt", ask(trial, CORE_UNDO, 2), CORE_REPLY_OK);
    return wrong != NULL ? wrong : must_refuse_do(trial);
}

static const char *try_verify_before(struct trial *trial)
{
    const char *wrong =
        must_be(trial, "verify of what was never done", ask(trial, CORE_VERIFY, 1), CORE_REPLY_REJECTED);
    return wrong != NULL ? wrong : must_refuse_do(trial);
}

static const char *try_verify_done(struct trial *trial)
{
    struct heard first;
    const char *wrong = done(trial, &first);
    return wrong != NULL ? wrong : must_equal(trial, "verify", first, ask(trial, CORE_VERIFY, 1));
}

static const char *try_verify_undone(struct trial *trial)
{
    const char *wrong = undone(trial);
    return wrong != NULL ? wrong : must_be(trial, "verify", ask(trial, CORE_VERIFY, 1), CORE_REPLY_REJECTED);
}

static const char *try_refusal(struct trial *trial)
{
    for (int time = 0; time < 2; time++) {
        send_body(trial, CORE_DO, trial->act[CORE_DO], 1, trial->refused, false);
        const char *wrong = must_be(trial, time == 0 ? "a do that is to be refused" : "it again",
                                    hear(trial, CORE_DO), CORE_REPLY_REJECTED);
        if (wrong != NULL)
            return wrong;
    }
    if (trial->act[CORE_UNDO] == NULL)
        return NULL;
    return must_be(trial, "the undo of what was refused", ask(trial, CORE_UNDO, 1), CORE_REPLY_OK);
}

static const char *try_garbage(struct trial *trial)
{
    struct heard heard;
    send_body(trial, CORE_DO, trial->act[CORE_DO], 1, STR("{\"not\": json"), false);
    const char *wrong = must_be(trial, "a body that is no JSON", hear(trial, CORE_DO), CORE_REPLY_REJECTED);
    if (wrong == NULL)
        wrong = must_settle(trial, "a body that is no JSON");
    if (wrong != NULL)
        return wrong;
    send_body(trial, CORE_DO, trial->act[CORE_DO], 1, STR("hello"), true);
    wrong = must_settle(trial, "a message without headers");
    begin(trial);
    return wrong != NULL ? wrong : done(trial, &heard);
}

static const char *try_unknown_action(struct trial *trial)
{
    send_body(trial, CORE_DO, "no_such_action", 1, trial->body[CORE_DO], false);
    return must_be(trial, "no_such_action", hear(trial, CORE_DO), CORE_REPLY_REJECTED);
}

static const char *try_replies(struct trial *trial)
{
    return trial->wrong;
}

static const struct check {
    const char *name;
    enum needs needs;
    const char *(*run)(struct trial *trial);
    const char *holds;
    const char *mend;
} checks[] = {
#define X(name, needs, holds, mend) {#name, needs, try_##name, holds, mend},
#include "engine/sagactl/conformance.def"
#undef X
};
enum { CHECK_COUNT = sizeof checks / sizeof checks[0] };

/* NULL, or why this one is not tried. */
static const char *lacks(const struct trial *trial, enum needs needs)
{
    bool undo = trial->act[CORE_UNDO] != NULL, verify = trial->act[CORE_VERIFY] != NULL;
    switch (needs) {
    case NOTHING:
        return NULL;
    case UNDO:
        return undo ? NULL : "--undo ACTION was not given";
    case VERIFY:
        return verify ? NULL : "--verify ACTION was not given";
    case BOTH:
        return undo && verify ? NULL : "--undo ACTION and --verify ACTION were not given both";
    case REFUSED:
        return trial->refused.size > 0 ? NULL : "--refused JSON was not given";
    }
    check_never("a need of no kind");
}

struct tally {
    struct buf json;
    unsigned held, failed, skipped;
};

static void member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, str_from(value));
}

static void note_result(const struct trial *trial, const struct check *check, const char *result,
                        const char *detail, struct tally *tally)
{
    bool failed = str_equal(str_from(result), STR("fails"));
    buf_printf(&tally->json, "%s\n{\"check\":\"%s\"", tally->json.size > 0 ? "," : "", check->name);
    member(&tally->json, "result", result);
    member(&tally->json, "rule", check->holds);
    if (detail != NULL)
        member(&tally->json, "detail", detail);
    if (failed)
        member(&tally->json, "mend", check->mend);
    buf_char(&tally->json, '}');
    if (trial->invocation->json)
        return;
    printf("%-7s %-*s %s\n", result, NAME_WIDTH, check->name, check->holds);
    if (detail != NULL)
        printf("        %s\n", detail);
    if (failed)
        printf("        to mend it: %s\n", check->mend);
    fflush(stdout);
}

static void run_all(struct trial *trial, struct tally *tally)
{
    for (int i = 0; i < CHECK_COUNT && trial->failed == NULL; i++) {
        const char *lack = i > 0 && tally->failed > 0 && tally->held == 0
                               ? "nothing can be told while a plain do fails"
                               : lacks(trial, checks[i].needs);
        if (lack != NULL) {
            tally->skipped++;
            note_result(trial, &checks[i], "skipped", lack, tally);
            continue;
        }
        begin(trial);
        const char *wrong = checks[i].run(trial);
        if (trial->failed != NULL)
            return;
        tally->held += wrong == NULL;
        tally->failed += wrong != NULL;
        note_result(trial, &checks[i], wrong == NULL ? "holds" : "fails", wrong, tally);
    }
}

/* An object with one member more, or anything else replaced by an object. */
static struct str differing(struct arena *arena, struct str body)
{
    struct str plain = str_trim(body);
    if (plain.size < 2 || plain.data[0] != '{')
        return STR("{\"conformance\":\"another body\"}");
    struct str inside = str_trim(str_slice(plain, 1, plain.size - 1));
    return arena_printf(arena, "{%.*s%s\"conformance\":\"another body\"}", STR_ARG(inside),
                        inside.size > 0 ? "," : "");
}

static bool read_options(struct invocation *invocation, struct trial *trial)
{
    const char *patience = invocation_option(invocation, "timeout");
    int64_t patience_us = PATIENCE_MS * INT64_C(1000);
    trial->act[CORE_DO] = invocation_option(invocation, "do");
    trial->act[CORE_UNDO] = invocation_option(invocation, "undo");
    trial->act[CORE_VERIFY] = invocation_option(invocation, "verify");
    if (!invocation_needs(invocation, "do") || !remote_json(invocation, "body", "{}", &trial->body[CORE_DO]))
        return false;
    trial->body[CORE_VERIFY] = trial->body[CORE_DO];
    trial->body[CORE_UNDO] = trial->body[CORE_DO];
    if (invocation_option(invocation, "undo-body") != NULL &&
        !remote_json(invocation, "undo-body", "{}", &trial->body[CORE_UNDO]))
        return false;
    if (invocation_option(invocation, "refused") != NULL &&
        !remote_json(invocation, "refused", "{}", &trial->refused))
        return false;
    if (patience != NULL && (!duration_parse(str_from(patience), &patience_us) || patience_us < 1000)) {
        fprintf(stderr, "sagactl conformance: --timeout \"%s\" is no duration like 500ms, 5s or 2m\n",
                patience);
        return false;
    }
    trial->patience_ms = patience_us / 1000;
    trial->other = differing(trial->arena, trial->body[CORE_DO]);
    return true;
}

static int finish(const struct trial *trial, struct tally *tally)
{
    const char *participant = trial->invocation->arguments[0];
    if (trial->failed != NULL) {
        fprintf(stderr, "sagactl conformance: %s\n", trial->failed);
        return INVOCATION_AWAY;
    }
    if (trial->invocation->json)
        printf("{\"participant\":\"%s\",\"held\":%u,\"failed\":%u,\"skipped\":%u,\"checks\":[%.*s]}\n",
               participant, tally->held, tally->failed, tally->skipped, STR_ARG(buf_str(&tally->json)));
    else
        printf("%s: %u held, %u failed, %u skipped\n", participant, tally->held, tally->failed,
               tally->skipped);
    return tally->failed == 0 ? INVOCATION_FINE : INVOCATION_FAILED;
}

int conformance_run(struct invocation *invocation)
{
    struct err_note note = {""};
    struct tally tally = {.held = 0};
    struct trial trial = {.invocation = invocation, .arena = invocation->arena};
    if (!invocation_expects(invocation, 1, 1) || !read_options(invocation, &trial))
        return INVOCATION_USAGE;
    struct rehearsal_options options = {.url = invocation_nats(invocation),
                                        .credentials_file = invocation_option(invocation, "creds"),
                                        .participant = invocation->arguments[0]};
    log_set_level(LOG_LEVEL_ERROR); /* the bus tells of its connections; here only what goes wrong matters */
    enum err err = rehearsal_open(&options, &trial.rehearsal, &note);
    if (err != ERR_OK) {
        fprintf(stderr, "sagactl conformance: %s\n", note.text);
        return err == ERR_INVALID ? INVOCATION_USAGE : INVOCATION_AWAY;
    }
    rng_init(&trial.rng, rng_entropy());
    buf_init(&tally.json, invocation->arena);
    run_all(&trial, &tally);
    rehearsal_close(trial.rehearsal);
    return finish(&trial, &tally);
}
