/* What the service answers, as people read it on a terminal. */
#pragma once
#include "engine/base/json.h"

/* GET /v1/sagas/{id} */
void show_saga(const struct json *saga);
/* GET /v1/sagas */
void show_list(const struct json *page);
/* Records of a history: time, what happened, what was decided. */
void show_records(const struct json *page);
void show_dead_letters(const struct json *page);
void show_definitions(const struct json *page);
