/* The engine's place in front of one participant, to try it: commands as an engine sends them, replies on a
 * subject of our own. For tools; blocks; one thread.
 *
 * Beside a living engine it disturbs nobody: commands are of sagas that do not exist, and their replies go to
 * saga.reply.conformance-<random>.<participant>, which no shard's consumer takes and engines remove without a
 * dead letter (nats_strays.c). What is left of a rehearsal, commands that were not taken and the replies in
 * SAGA_REPLY, is removed by rehearsal_close. Streams and the participant's consumer are made when missing, as
 * an engine makes them. */
#pragma once
#include "engine/bus/bus.h"
#include "engine/core/core.h"

enum { REHEARSAL_COMMANDS_MAX = 256 };

struct rehearsal;
struct rehearsal_options { /* strings are borrowed until the close */
    const char *url;
    const char *user, *password, *token, *credentials_file; /* NULL: none */
    const char *participant;
};
struct rehearsal_command {
    struct str action;
    struct id saga;
    struct str step;
    enum core_kind kind;
    uint32_t attempt;
    struct str body;
    bool bare; /* without any header: no command at all */
};
struct rehearsal_answer {   /* texts in the arena given */
    struct str command;     /* Saga-Command */
    struct str message_id;  /* Nats-Msg-Id */
    struct core_event said; /* as an engine reads it: UNUSABLE with the reason when it cannot */
    struct str why;         /* it belongs to no command: the reason; else "" */
    struct str body;
};
/* ERR_UNAVAILABLE: no server answers, or it refuses us. ERR_INVALID: that is no participant's name. */
enum err rehearsal_open(const struct rehearsal_options *options, struct rehearsal **rehearsal,
                        struct err_note *note) __attribute__((warn_unused_result));
/* Each call is a message of its own, also of a command that was sent before. At most REHEARSAL_COMMANDS_MAX
 * (ERR_FULL). */
enum err rehearsal_send(struct rehearsal *rehearsal, const struct rehearsal_command *command,
                        struct err_note *note) __attribute__((warn_unused_result));
/* The next reply; ERR_TIMEOUT when none comes within so many milliseconds. */
enum err rehearsal_receive(struct rehearsal *rehearsal, int64_t timeout_ms, struct arena *arena,
                           struct rehearsal_answer *answer, struct err_note *note)
    __attribute__((warn_unused_result));
/* Whether what was sent last is acknowledged, at the latest after so many milliseconds. */
bool rehearsal_settled(struct rehearsal *rehearsal, int64_t timeout_ms);
/* NULL is allowed. */
void rehearsal_close(struct rehearsal *rehearsal);
