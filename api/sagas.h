/* Reading sagas for answers: from PostgreSQL, so what was told once is never untold. */
#pragma once
#include "api/request.h"

/* The saga's view as JSON with a line end, in the request's arena; seq may be NULL. ERR_NOT_FOUND, or what
 * reading gave. */
enum err sagas_view(struct request *request, struct id id, struct str *text, int64_t *seq,
                    struct err_note *note) __attribute__((warn_unused_result));
