/* What the two files of delivery.h share: delivery.c keeps the flights, delivery_look.c looks at
 * participants. */
#pragma once
#include "engine/runtime/delivery.h"

static inline struct str delivery_key(const uint64_t *number)
{
    return (struct str){(const char *)number, sizeof *number};
}
/* How precisely the moment of a delivery is known: an attempt's time is moved only by more. */
int64_t delivery_precision_us(const struct delivery_flight *flight);
/* The lane is to be looked at then, or earlier. */
void delivery_look_at(struct delivery *delivery, struct delivery_lane *lane, int64_t at_us);
void delivery_leave_lane(struct delivery_flight *flight);
void delivery_free(struct delivery *delivery, struct delivery_flight *flight);
/* It is known to be delivered, and counts from at_us on. A held timer goes on. */
void delivery_arrived(struct runner *runner, struct delivery_flight *flight, int64_t at_us);
/* It is proved that it reached nobody. */
void delivery_proved(struct runner *runner, struct delivery_flight *flight);
