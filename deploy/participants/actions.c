#include "deploy/participants/actions.h"

#include <ctype.h>
#include <string.h>
#include "barrier_sql.h"
#include "behaviour_sql.h"
#include "engine/base/limits.h"
#include "inventory_sql.h"
#include "payments_sql.h"
#include "shipping_sql.h"

static const struct actions_action actions[] = {
#define X(participant, action, kind, effect, sentence) {#participant, #action, ACTIONS_##kind, effect},
#include "deploy/participants/actions.def"
#undef X
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

static const char *const sentences[] = {
#define X(participant, action, kind, effect, sentence) sentence,
#include "deploy/participants/actions.def"
#undef X
};

static const struct {
    const char *word;
    const char *sentence;
    enum actions_behaviour behaviour;
} behaviours[] = {
#define X(name, word, sentence) {word, sentence, ACTIONS_##name},
#include "deploy/participants/behaviours.def"
#undef X
};
enum { BEHAVIOUR_COUNT = sizeof behaviours / sizeof behaviours[0] };

#define SQL(name)                                                                                            \
    {                                                                                                        \
        (const char *)name##_sql, name##_sql_size                                                            \
    }
#define SCHEMA(name)                                                                                         \
    {                                                                                                        \
#name,                                                                                               \
        {                                                                                                    \
            SQL(barrier), SQL(behaviour), SQL(name),                                                         \
            {                                                                                                \
                NULL, 0                                                                                      \
            }                                                                                                \
        }                                                                                                    \
    }
static const struct actions_schema schemas[] = {SCHEMA(inventory), SCHEMA(payments), SCHEMA(shipping)};

const struct actions_action *actions_find(const char *participant, struct str name)
{
    for (int i = 0; i < ACTION_COUNT; i++)
        if (strcmp(actions[i].participant, participant) == 0 && str_equal(name, str_from(actions[i].name)))
            return &actions[i];
    return NULL;
}

const char *actions_kind_text(enum actions_kind kind)
{
    static const char *const texts[] = {
        [ACTIONS_DO] = "do", [ACTIONS_UNDO] = "undo", [ACTIONS_VERIFY] = "verify"};
    return texts[kind];
}

bool actions_behaviour(struct str word, enum actions_behaviour *behaviour)
{
    for (int i = 0; i < BEHAVIOUR_COUNT; i++)
        if (str_equal(word, str_from(behaviours[i].word))) {
            *behaviour = behaviours[i].behaviour;
            return true;
        }
    return false;
}

const struct actions_schema *actions_schema(const char *participant)
{
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        if (strcmp(schemas[i].participant, participant) == 0)
            return &schemas[i];
    return NULL;
}

struct actions_schema actions_stand_in(const char *name)
{
    return (struct actions_schema){name, {SQL(barrier), SQL(behaviour), {NULL, 0}}};
}

bool actions_is_name(struct str name)
{
    if (name.size == 0 || name.size > LIMITS_NAME_BYTES || !islower((unsigned char)name.data[0]))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!islower((unsigned char)c) && !isdigit((unsigned char)c) && c != '-' && c != '_')
            return false;
    }
    return !str_equal(name, STR("postgres"));
}

void actions_help(FILE *out)
{
    fprintf(out, "Actions:\n");
    for (int i = 0; i < ACTION_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s", actions[i].participant, actions[i].name);
        fprintf(out, "  %-20s %-7s %s\n", name, actions_kind_text(actions[i].kind), sentences[i]);
    }
    fprintf(out, "\nBehaviours:\n");
    for (int i = 0; i < BEHAVIOUR_COUNT; i++)
        fprintf(out, "  %-12s %s\n", behaviours[i].word, behaviours[i].sentence);
}
