#include "engine/runtime/known.h"

#include "engine/base/limits.h"

struct engine_answer known_answer(const struct store_keyed *keyed)
{
    struct engine_answer answer = {.id = keyed->id, .version = keyed->version, .seq = keyed->seq};
    if (!core_status_parse(keyed->status, &answer.status))
        answer.status = CORE_RUNNING;
    return answer;
}

bool known_is_same(const struct store_keyed *keyed, const struct json *input, struct arena *arena)
{
    const struct json *data = NULL, *began = NULL;
    struct err_note note;
    if (json_parse(arena, keyed->start_data, SIZE_MAX, &data, &note) == ERR_OK)
        began = json_get(json_get(data, STR("event")), STR("input"));
    return json_equal(began == NULL ? &json_null : began, input == NULL ? &json_null : input);
}

struct str known_conflict(struct id id, struct str definition, struct arena *arena)
{
    char owner[ID_TEXT_SIZE + 1];
    id_format(id, owner);
    return arena_printf(arena, "saga %s of %.*s has this key: it was used already, with another input", owner,
                        STR_ARG(definition));
}

enum err known_find(struct registry *registry, struct store *store, struct str definition,
                    struct engine_start *start, struct arena *arena, enum known *known,
                    struct engine_answer *answer, struct err_note *note)
{
    const struct plan *plan = start->plan != NULL ? start->plan : registry_newest(registry, definition);
    start->key = plan == NULL ? start->key : definition_key(plan, start->input, start->key, arena);
    struct store_keyed *found = NULL;
    uint32_t count = 0;
    *known = KNOWN_NONE;
    if (start->key.size == 0 || start->key.size > LIMITS_KEY_BYTES)
        return ERR_OK;
    enum err error = store_find_keys(store, &definition, &start->key, 1, arena, &found, &count, note);
    if (error != ERR_OK || count == 0)
        return error;
    *known = known_is_same(&found[0], start->input, arena) ? KNOWN_SAME : KNOWN_OTHER;
    *answer = known_answer(&found[0]);
    if (*known == KNOWN_OTHER) {
        answer->error = ERR_CONFLICT;
        answer->message = known_conflict(found[0].id, definition, arena);
    }
    return ERR_OK;
}
