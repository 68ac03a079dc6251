/* Where a step or a block stands: questions about the tree of frames. No saga is written here. Internal to
 * the core. */
#pragma once
#include "engine/base/buf.h"
#include "engine/core/core.h"

enum { FRAMES_ROOT = 0 };

const struct plan_node *frames_node(const struct core_saga *saga, uint16_t frame);
/* parallel and foreach: their sequences run side by side. */
bool frames_is_fan(const struct core_saga *saga, uint16_t frame);
/* Everything around it, itself included, goes forward. */
bool frames_is_live(const struct core_saga *saga, uint16_t frame);
/* The saga or a scope around it goes back or went back: effects in it are to be undone. */
bool frames_is_back(const struct core_saga *saga, uint16_t frame);
/* Nothing new is commanded in it: it goes back, or its branch has failed. */
bool frames_is_halted(const struct core_saga *saga, uint16_t frame);
/* Whether `frame` is `around` or stands within it. */
bool frames_is_within(const struct core_saga *saga, uint16_t frame, uint16_t around);
/* Everything has been done; what a scope left may still be being undone. */
bool frames_at_end(const struct core_saga *saga);
/* The position of the frame in the sequence that is its parent: the order of its block. */
uint16_t frames_order(const struct core_saga *saga, uint16_t frame);
/* The frame of the foreach `loop` (a node) around the frame, and which item it belongs to. False: it stands
 * in no such foreach. */
bool frames_item(const struct core_saga *saga, uint16_t frame, uint16_t loop, uint16_t *fan, uint16_t *index);
/* The frame of the scope that goes or went back around it; CORE_NO_STEP: none does. */
uint16_t frames_undone_scope(const struct core_saga *saga, uint16_t frame);
/* The items of each foreach that the frame stands in, from the outermost inwards: "[0][2]"; nothing when it
 * stands in none. */
void frames_put_items(struct buf *out, const struct core_saga *saga, uint16_t frame);
