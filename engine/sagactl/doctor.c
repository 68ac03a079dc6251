#include "engine/sagactl/doctor.h"

#include <stdio.h>
#include "engine/base/buf.h"
#include "engine/base/json.h"
#include "engine/sagactl/show.h"
#include "engine/store/postgres.h"

static void print_json(struct invocation *invocation, const struct store_stuck *stuck, uint32_t count)
{
    struct buf out;
    buf_init(&out, invocation->arena);
    buf_char(&out, '[');
    for (uint32_t i = 0; i < count; i++) {
        char id[ID_TEXT_SIZE + 1];
        id_format(stuck[i].id, id);
        buf_printf(&out, "%s{\"id\":\"%s\",\"status\":\"%.*s\",\"problem\":", i > 0 ? "," : "", id,
                   STR_ARG(stuck[i].status));
        json_write_string(&out, stuck[i].problem);
        buf_char(&out, '}');
    }
    buf_puts(&out, "]\n");
    show_json(invocation->arena, buf_str(&out));
}

static void print_text(const struct invocation *invocation, const struct store_stuck *stuck, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char id[ID_TEXT_SIZE + 1];
        id_format(stuck[i].id, id);
        printf("%s  %.*s  %.*s\n", id, STR_ARG(show_plain(invocation->arena, stuck[i].status)),
               STR_ARG(show_plain(invocation->arena, stuck[i].problem)));
    }
    if (count == 0)
        printf("every saga that has not ended has a timer, an outstanding command or a named park\n");
    else
        printf("%u sagas wait for nothing, or cannot be read\n", count);
}

int doctor_run(struct invocation *invocation)
{
    struct err_note note = {""};
    struct store *store = NULL;
    struct store_stuck *stuck = NULL;
    uint32_t count = 0;
    if (!invocation_expects(invocation, 0, 0))
        return INVOCATION_USAGE;
    enum err error = postgres_open(invocation_database(invocation), &store, &note);
    if (error == ERR_OK)
        error = store_doctor(store, invocation->arena, &stuck, &count, &note);
    if (store != NULL)
        store_close(store);
    if (error != ERR_OK) {
        fprintf(stderr, "sagactl: %s\n", note.text);
        return INVOCATION_AWAY;
    }
    if (invocation->json)
        print_json(invocation, stuck, count);
    else
        print_text(invocation, stuck, count);
    return count == 0 ? INVOCATION_FINE : INVOCATION_FAILED;
}
