/* `replies`: what participants answer, by command and attempt. Part of scenario_parts.h; called by
 * scenario_read.c, and by the run when a command goes out. Never sends one itself: the run does. */
#include "engine/model/scenario_parts.h"

#include "engine/definition/word.h"

static const struct str words[] = {WORD("ok"),      WORD("rejected"),  WORD("retry"),
                                   WORD("pending"), WORD("none"),      WORD("error"),
                                   WORD("nobody"),  WORD("no_output"), {0}};
static const enum core_reply_status statuses[] = {CORE_REPLY_OK,      CORE_REPLY_REJECTED, CORE_REPLY_RETRY,
                                                  CORE_REPLY_PENDING, CORE_REPLY_OK,       CORE_REPLY_UNCLEAR,
                                                  CORE_REPLY_UNSENT,  CORE_REPLY_NO_OUTPUT};
enum { SILENT = 4 };

static void set_word(struct scenario_reader *reader, const struct tree *tree, struct str word,
                     struct scenario_reply *reply)
{
    int index = 0;
    if (!scenario_word(reader, tree, word, words, &index))
        return;
    reply->silent = index == SILENT;
    reply->status = statuses[index];
}

/* "none", "rejected CARD_DECLINED" */
static void read_short(struct scenario_reader *reader, const struct tree *tree, struct scenario_reply *reply)
{
    struct str text = str_trim(tree->text);
    size_t end = str_find(text, ' ');
    set_word(reader, tree, str_slice(text, 0, end), reply);
    reply->code = str_trim(str_slice(text, end, text.size));
    if (reply->code.size > 0 && (reply->status == CORE_REPLY_OK || reply->status == CORE_REPLY_UNSENT))
        problem_add(reader->diags, tree->place, PROBLEM_BAD_CHOICE,
                    STR("`rejected CODE`, `retry CODE` and `error CODE`; a body stands under `body`"),
                    "`%.*s` is followed by nothing", STR_ARG(str_slice(text, 0, end)));
}

static const struct scenario_reply *read_reply(struct scenario_reader *reader, const struct tree *tree);

static void read_long(struct scenario_reader *reader, const struct tree *tree, struct scenario_reply *reply)
{
    struct scenario_values values;
    int64_t times = 1;
    if (!scenario_keys_of(reader, tree, SCENARIO_TABLE_REPLY, &values))
        return;
    const struct tree *const *of = values.of;
    if (of[SCENARIO_REPLY_REPLY])
        set_word(reader, of[SCENARIO_REPLY_REPLY], of[SCENARIO_REPLY_REPLY]->text, reply);
    if (of[SCENARIO_REPLY_BODY])
        reply->body = scenario_json(reader, of[SCENARIO_REPLY_BODY]);
    if (of[SCENARIO_REPLY_CODE])
        reply->code = of[SCENARIO_REPLY_CODE]->text;
    if (of[SCENARIO_REPLY_MESSAGE])
        reply->message = of[SCENARIO_REPLY_MESSAGE]->text;
    if (of[SCENARIO_REPLY_AFTER])
        (void)scenario_span(reader, of[SCENARIO_REPLY_AFTER], &reply->after_us);
    if (of[SCENARIO_REPLY_RETRY_AFTER])
        (void)scenario_span(reader, of[SCENARIO_REPLY_RETRY_AFTER], &reply->retry_after_us);
    if (of[SCENARIO_REPLY_TIMES] &&
        scenario_integer(reader, of[SCENARIO_REPLY_TIMES], 1, SCENARIO_TIMES_MAX, &times))
        reply->times = (uint32_t)times;
    if (of[SCENARIO_REPLY_DEAD])
        reply->dead = of[SCENARIO_REPLY_DEAD]->boolean;
    if (of[SCENARIO_REPLY_THEN])
        reply->then = read_reply(reader, of[SCENARIO_REPLY_THEN]);
}

/* Recursion by `then` is bounded by LIMITS_YAML_DEPTH. */
static const struct scenario_reply *read_reply(struct scenario_reader *reader, const struct tree *tree)
{
    struct scenario_reply *reply = arena_new(reader->arena, struct scenario_reply);
    *reply = (struct scenario_reply){.status = CORE_REPLY_OK, .times = 1};
    if (tree->kind == TREE_STRING)
        read_short(reader, tree, reply);
    else if (tree->kind == TREE_MAPPING)
        read_long(reader, tree, reply);
    else if (tree->kind != TREE_BROKEN)
        problem_add(reader->diags, tree->place, PROBLEM_WRONG_TYPE,
                    STR("such as `ok`, `none`, `rejected CARD_DECLINED`, or { body: { id: 7 }, after: 3s }"),
                    "a reply is a word or a mapping, not %s", tree_kind_text(tree->kind));
    return reply;
}

/* One for all attempts, or a list: the first attempt's, the second's, …; the last one holds for those behind
 * it. */
static const struct scenario_reply *read_replies(struct scenario_reader *reader, const struct tree *tree)
{
    const struct scenario_reply *first = NULL;
    const struct scenario_reply **end = &first;
    if (tree->kind != TREE_SEQUENCE)
        return read_reply(reader, tree);
    for (const struct tree *item = tree->first; item; item = item->next) {
        struct scenario_reply *reply = arena_new(reader->arena, struct scenario_reply);
        *reply = *read_reply(reader, item);
        *end = reply;
        end = &reply->next;
    }
    if (!first)
        problem_add(reader->diags, tree->place, PROBLEM_WRONG_TYPE, STR("silence is `none`"),
                    "an empty list says no reply");
    return first;
}

static bool lacks_output(const struct scenario_reply *reply)
{
    for (; reply; reply = reply->next)
        for (const struct scenario_reply *part = reply; part; part = part->then)
            if (part->status == CORE_REPLY_NO_OUTPUT)
                return true;
    return false;
}

static bool is_of_service(const struct scenario_reply *reply)
{
    for (; reply; reply = reply->then)
        if (reply->status == CORE_REPLY_UNCLEAR || reply->status == CORE_REPLY_UNSENT)
            return true;
    return false;
}

/* A participant that speaks the engine's headers says what happened; only a plain service leaves it open. */
static void check_service(struct scenario_reader *reader, const struct tree *entry,
                          const struct scenario_answer *answer)
{
    const struct scenario_name *name = &answer->name;
    const struct plan_action *action = core_action(name->node->step, name->has_kind ? name->kind : CORE_DO);
    bool request = action && action->via == PLAN_VIA_REQUEST;
    for (const struct scenario_reply *reply = answer->replies; reply && !request; reply = reply->next)
        if (is_of_service(reply)) {
            problem_add(reader->diags, entry->key_place, PROBLEM_BAD_COMMAND,
                        STR("`none` is silence, which leaves as much open"),
                        "`error` and `nobody` are for `via: request`, which \"%.*s\" is not",
                        STR_ARG(name->text));
            return;
        }
}

const struct scenario_answer *scenario_answers(struct scenario_reader *reader, const struct tree *mapping)
{
    const struct scenario_answer *first = NULL;
    const struct scenario_answer **end = &first;
    for (const struct tree *entry = mapping->first; entry; entry = entry->next) {
        struct scenario_answer *answer = arena_new(reader->arena, struct scenario_answer);
        bool named = scenario_name(reader, entry->key, entry->key_place, &answer->name);
        if (named && !answer->name.node->step)
            problem_add(reader->diags, entry->key_place, PROBLEM_BAD_COMMAND,
                        STR("signals stand under `events`"), "\"%.*s\" is sent no commands",
                        STR_ARG(answer->name.path));
        answer->replies = read_replies(reader, entry);
        if (named && answer->name.node->kind != PLAN_SAGA && lacks_output(answer->replies))
            problem_add(reader->diags, entry->key_place, PROBLEM_BAD_CHOICE, STR(""),
                        "`no_output` is said of a child saga only, and \"%.*s\" is none",
                        STR_ARG(answer->name.path));
        if (named && answer->name.node->step)
            check_service(reader, entry, answer);
        *end = answer;
        end = &answer->next;
    }
    return first;
}
