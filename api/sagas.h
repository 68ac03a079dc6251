/* Reading sagas for answers: from PostgreSQL, so what was told once is never untold. */
#pragma once
#include "api/request.h"

/* The saga's view as JSON with a line end, and its entity tag, which may be NULL, in the request's arena.
 * ERR_NOT_FOUND, or what reading gave. */
enum err sagas_view(struct request *request, struct id id, struct str *text, struct str *tag,
                    struct err_note *note) __attribute__((warn_unused_result));
/* Answers for a read of the path's saga that failed. */
void sagas_refuse(struct request *request, enum err error, const struct err_note *note);
/* Hands an operator's verb for the path's saga to the engine and suspends the request; answers as {"id",
 * "status", "seq"}, or with what the engine refused. */
void sagas_verb(struct request *request, struct id id, const struct core_event *verb);
