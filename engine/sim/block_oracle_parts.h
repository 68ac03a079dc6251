/* What the files of block_oracle share: questions about what was entered. Not for others. */
#pragma once
#include "engine/sim/block_oracle.h"

#define BLOCK_ORACLE_PROMISE(oracle, rule, what)                                                             \
    ((what) ? (void)0 : block_oracle_breach(oracle, rule, #what, __LINE__))

void block_oracle_breach(const struct block_oracle *oracle, const char *rule, const char *what, int line);
const struct plan_node *block_oracle_node_of(const struct block_oracle *oracle, uint16_t frame);
bool block_oracle_is_fan(const struct block_oracle *oracle, uint16_t frame);
bool block_oracle_is_within(const struct block_oracle *oracle, uint16_t frame, uint16_t around);
/* Nothing new may be commanded in it: the saga or a scope around goes back, or a branch around has failed. */
bool block_oracle_is_halted(const struct block_oracle *oracle, uint16_t frame);
/* The saga or a scope around goes or went back. */
bool block_oracle_is_undone(const struct block_oracle *oracle, uint16_t frame);
/* Everything in the block is over: passed, or undone within a scope. */
bool block_oracle_is_finished(const struct block_oracle *oracle, uint16_t frame);
/* All children of a sequence before this position are over. */
bool block_oracle_is_reached(const struct block_oracle *oracle, uint16_t frame, uint16_t order);
/* Step a stands before step b in some sequence: undone after it. */
bool block_oracle_is_before(const struct block_oracle *oracle, uint16_t a, uint16_t b);
/* An effect of the step exists or may exist, nothing was done about it yet, and somebody wants it undone. */
bool block_oracle_owes(const struct block_oracle *oracle, uint16_t step);
/* Nothing in it is under way or owed, but what a late success has brought back in a scope that was undone
 * before. */
bool block_oracle_is_at_rest(const struct block_oracle *oracle, uint16_t frame);
/* Under way in either direction. */
bool block_oracle_is_active(const struct block_oracle *oracle, uint16_t step);
bool block_oracle_is_busy(const struct block_oracle *oracle, uint16_t frame);
/* The signals' part of the books. */
void block_oracle_keep(struct block_oracle *oracle, const struct core_event *event);
void block_oracle_take(struct block_oracle *oracle, const struct core_change *change);
void block_oracle_drop(struct block_oracle *oracle, const struct core_change *change);
void block_oracle_signals_rest(const struct block_oracle *oracle);
