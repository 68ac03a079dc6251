/* The runner's figures: where the core's verdicts and records become metrics. */
#pragma once
#include "engine/core/core.h"

/* A stored record. */
void meter_transition(const struct plan *plan, const struct core_record *record, enum core_status before,
                      enum core_status after);
/* A reply that needed no record. */
void meter_verdict(const struct core_event *event, const struct core_update *update);
/* Stored dead letters. */
/* A dead letter stored; whether it is a reply. */
void meter_dead(bool reply);
/* A broker's answer; taken_us 0: of a slot given up, not counted. */
void meter_published(int64_t taken_us, int64_t at_us);
/* A batch handed to the database: "ok", "failed", "unknown", "fenced", "bisected". */
void meter_commit(enum err error, bool bisected);
/* A lifecycle event handed to the broker. */
void meter_event(struct str definition, struct str what);
void meter_batch(uint32_t records, int64_t commit_us);
/* A start or verb asked for over the bus whose answer could not be sent. */
void meter_answer_lost(void);
