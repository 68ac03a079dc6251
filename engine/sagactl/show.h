/* What the service answers, as people read it on a terminal: aligned, UTC to the millisecond, nothing in it
 * that a terminal would obey or that looks like a line of ours. Prints on stdout; borrows all. */
#pragma once
#include "engine/base/json.h"
#include "engine/sagactl/invocation.h"

/* GET /v1/sagas/{id} */
void show_saga(const struct invocation *invocation, const struct json *saga);
/* GET /v1/sagas: within the terminal's width; whole when stdout is none. */
void show_list(const struct invocation *invocation, const struct json *page);
/* Records of a history: time, what happened, what was decided. */
void show_records(const struct invocation *invocation, const struct json *page);
/* GET /v1/sagas/{id}/timers */
void show_timers(const struct invocation *invocation, const struct json *page);
void show_dead_letters(const struct invocation *invocation, const struct json *page);
void show_definitions(const struct invocation *invocation, const struct json *page);
/* The text as it may stand in a line on a terminal: what it would obey, and what ends a line, shows as an
 * escape (visible.h). Whatever came from outside is printed through this or the two below. */
struct str show_plain(struct arena *arena, struct str text);
/* Prints JSON on stdout; still the same JSON. */
void show_json(struct arena *arena, struct str text);
/* Prints text of several lines, ended, on stderr. */
void show_report(struct arena *arena, struct str text);
