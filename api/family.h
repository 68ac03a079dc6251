/* An operator's terminate, pause or resume of a saga and of all sagas below it: children, their children, and
 * so on. The saga first, so that it begins no more of them, then level by level, one verb after the other. */
#pragma once
#include "api/request.h"

/* Answers what sagas_verb answers, and `children`: each that was asked, what it is now, and why it refused,
 * if it did. A saga that refuses (it is paused already, or has ended) is no obstacle to the others. `verb`
 * borrows from the request. */
void family_verb(struct request *request, struct id id, const struct core_event *verb);
