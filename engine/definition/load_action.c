/* One command: `participant.action` and its body, of do, verify and undo. Part of load.h; called by
 * load_step.c. Reports what is wrong where it stands, and never fails the process for it. */
#include "engine/definition/load.h"

static bool is_subject_token(struct str token)
{
    for (size_t i = 0; i < token.size; i++) {
        char c = token.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '-';
        if (!fine)
            return false;
    }
    return token.size > 0 && token.size <= LIMITS_NAME_BYTES;
}

/* Of a subject: two tokens or more, none of the engine's own ("saga.") nor of the server's ("$…", "_…"). */
static bool is_subject(struct str text)
{
    if (text.size > LIMITS_SUBJECT_BYTES || str_starts(text, STR("saga.")) || str_starts(text, STR("_")))
        return false;
    int tokens = 0;
    for (size_t begin = 0; begin <= text.size; tokens++) {
        struct str rest = str_slice(text, begin, text.size);
        struct str token = str_slice(rest, 0, str_find(rest, '.'));
        if (!is_subject_token(token))
            return false;
        begin += token.size + 1;
    }
    return tokens >= 2;
}

bool load_is_command_token(struct str token)
{
    if (!is_subject_token(token) || token.data[0] < 'a' || token.data[0] > 'z')
        return false;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] >= 'A' && token.data[i] <= 'Z')
            return false;
    }
    return true;
}

bool load_command(struct load *load, const struct tree *command, enum plan_via via,
                  struct plan_action *action)
{
    struct str text = command->text;
    size_t dot = str_find(text, '.');
    struct str participant = str_slice(text, 0, dot);
    struct str rest = str_slice(text, dot + 1, text.size);
    bool fine = via == PLAN_VIA_REQUEST ? is_subject(text)
                                        : load_is_command_token(participant) && load_is_command_token(rest);
    if (!fine) {
        struct str hint = via == PLAN_VIA_REQUEST
                              ? STR("a NATS subject of two words or more, not beginning with saga. $ or _")
                              : STR("participant.action: two words of lower-case letters, digits, - and _");
        problem_add(load->diags, command->place, PROBLEM_BAD_COMMAND, hint, "\"%.*s\" cannot be a command",
                    STR_ARG(text));
        return false;
    }
    if (str_equal(participant, STR(PLAN_ENGINE))) {
        problem_add(load->diags, command->place, PROBLEM_BAD_COMMAND,
                    STR("the engine itself; a child saga is run by the block `saga`"),
                    "\"%s\" cannot be a participant", PLAN_ENGINE);
        return false;
    }
    action->command = text;
    action->participant = participant;
    action->action = rest;
    return true;
}

static void read_via(struct load *load, const struct tree *tree, enum keys_key key,
                     struct plan_action *action)
{
    int index;
    if (load_word(load, tree, key, &index))
        action->via = (enum plan_via)index;
}

void load_action(struct load *load, const struct keys_values *values, struct load_action_keys keys,
                 bool unlimited_allowed, struct plan_action *action)
{
    if (values->of[keys.via])
        read_via(load, values->of[keys.via], keys.via, action);
    if (values->of[keys.command])
        (void)load_command(load, values->of[keys.command], action->via, action);
    if (values->of[keys.timeout])
        (void)load_duration(load, values->of[keys.timeout], &action->timeout_us);
    load_retry(load, values->of[keys.retry], unlimited_allowed, &action->retry);
}
