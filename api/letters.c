#include "api/letters.h"
#include <string.h>
#include "api/members.h"
#include "engine/bus/envelope.h"

enum err letters_read(struct store *store, struct id saga, struct arena *arena, struct letters *letters,
                      struct err_note *note)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(saga, text);
    *letters = (struct letters){.count = 0};
    return store_dead_letters(store, str_from(text), 0, LETTERS_TOLD, arena, &letters->items, &letters->count,
                              note);
}

/* The oldest letter of a command: the one that its step speaks of. NULL: it is not kept. */
static const struct store_dead_letter *find(const struct letters *letters, struct str command)
{
    for (uint32_t i = letters->count; i > 0; i--)
        if (str_equal(letters->items[i - 1].command, command))
            return &letters->items[i - 1];
    return NULL;
}

/* "<kind> attempt <n>" before CORE_PUT_ASIDE. */
static bool read_attempt(struct str text, enum core_kind *kind, uint32_t *attempt)
{
    static const struct str word = {" attempt ", sizeof " attempt " - 1};
    size_t space = str_find(text, ' ');
    struct str rest = str_slice(text, space, text.size);
    int64_t number = 0;
    if (!core_kind_parse(str_slice(text, 0, space), kind) || !str_starts(rest, word) ||
        !str_to_i64(str_slice(rest, word.size, rest.size), &number) || number < 1 || number > UINT32_MAX)
        return false;
    *attempt = (uint32_t)number;
    return true;
}

static struct str number(const struct letters *letters, const struct core_saga *saga, uint16_t step,
                         struct str message, struct arena *arena)
{
    const char *at = message.size > 0
                         ? memmem(message.data, message.size, CORE_PUT_ASIDE, sizeof CORE_PUT_ASIDE - 1)
                         : NULL;
    enum core_kind kind;
    uint32_t attempt;
    if (letters->count == 0 || at == NULL || step == CORE_NO_STEP)
        return message;
    size_t size = (size_t)(at - message.data);
    if (!read_attempt(str_slice(message, 0, size), &kind, &attempt))
        return message;
    struct str command = envelope_command_id(arena, saga->id, core_step_path(saga, step), kind, attempt);
    const struct store_dead_letter *letter = find(letters, command);
    if (letter == NULL)
        return message;
    return arena_printf(arena, "%.*s was answered, put aside as dead letter %lld%.*s", (int)size,
                        message.data, (long long)letter->number,
                        STR_ARG(str_slice(message, size + sizeof CORE_PUT_ASIDE - 1, message.size)));
}

void letters_number(const struct letters *letters, struct core_saga *saga, struct arena *arena)
{
    for (uint16_t i = 0; i < saga->step_count; i++)
        saga->steps[i].error_message = number(letters, saga, i, saga->steps[i].error_message, arena);
    saga->cause_message = number(letters, saga, saga->cause_step, saga->cause_message, arena);
    saga->park_message = number(letters, saga, saga->park_step, saga->park_message, arena);
}

void letters_number_record(const struct letters *letters, const struct core_saga *saga,
                           struct core_record *record, struct arena *arena)
{
    if (letters->count == 0 || record->change_count == 0)
        return;
    struct core_change *changes = arena_array(arena, record->change_count, sizeof *changes);
    for (uint32_t i = 0; i < record->change_count; i++) {
        changes[i] = record->changes[i];
        if (changes[i].message.size > 0)
            changes[i].message = number(letters, saga, changes[i].step, changes[i].message, arena);
    }
    record->changes = changes;
}

void letters_write(struct buf *out, const struct letters *letters)
{
    buf_puts(out, ",\"dead_letters\":[");
    for (uint32_t i = 0; i < letters->count; i++) {
        const struct store_dead_letter *letter = &letters->items[i];
        buf_printf(out, "%s{\"number\":%lld", i > 0 ? "," : "", (long long)letter->number);
        members_time(out, "at", letter->at_us);
        members_text(out, "command", letter->command);
        members_text(out, "reason", letter->reason);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

int64_t letters_newest(const struct letters *letters)
{
    return letters->count > 0 ? letters->items[0].number : 0;
}
