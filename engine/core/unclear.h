/* Answers that do not say what happened. Internal to the core. */
#pragma once
#include "engine/core/work.h"

/* Answers other than a success that may still count: of the newest attempt, which has had none. Else left as
 * stale or duplicate. */
bool unclear_is_news(struct work *work, uint16_t step);
/* For answers that only mean something while the attempt is outstanding; else left as late. */
bool unclear_is_outstanding(struct work *work, uint16_t step);
/* The service failed, and may have acted before it did: the attempt is over, as if nothing had come, with the
 * cause. */
void unclear_failed(struct work *work, uint16_t step);
/* The event becomes an answer that cannot be used; reason: a sentence without values of its body. */
void unclear_spoil(struct work *work, struct str reason);
/* An answer that cannot be used is a dead letter, and the step says so, once for each attempt while it is
 * open. By `via: request` there is one answer to one attempt, so that it is over; else a usable one may still
 * come. */
void unclear_unusable(struct work *work, uint16_t step);
/* The attempt's time is over; whether an answer came that could not be used. */
bool unclear_was_answered(const struct work *work, uint16_t step, enum core_kind kind);
