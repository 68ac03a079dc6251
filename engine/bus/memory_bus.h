/* The bus's in-memory twin, for simulation and tests: one broker, many buses; delivery happens only in
 * memory_bus_deliver, on the caller's thread. */
#pragma once
#include "engine/bus/bus.h"

struct memory_bus_broker;

struct memory_bus_broker *memory_bus_new(void);
void memory_bus_free(struct memory_bus_broker *broker);
struct bus *memory_bus_open(struct memory_bus_broker *broker, const struct bus_callbacks *callbacks);
/* Delivers what is queued (replies, starts, acknowledgements, answers), at most `most` messages; how many
 * were delivered. Unacknowledged ones come again after memory_bus_redeliver. */
uint32_t memory_bus_deliver(struct memory_bus_broker *broker, uint32_t most);
void memory_bus_redeliver(struct memory_bus_broker *broker);
/* A participant's side: takes the oldest command of saga.cmd.<participant>.>, false when none; and sends a
 * message into a stream. */
bool memory_bus_take_command(struct memory_bus_broker *broker, struct str participant, struct arena *arena,
                             struct bus_message *message);
void memory_bus_send(struct memory_bus_broker *broker, const struct bus_message *message);
/* Whether a command of this id waits for its participant. */
bool memory_bus_holds(struct memory_bus_broker *broker, struct str command);
/* Bodies above this are more than the broker takes. */
void memory_bus_bound(struct memory_bus_broker *broker, size_t bytes);
/* Of each subject of commands so many are kept, further ones refused; 0: any number. */
void memory_bus_share(struct memory_bus_broker *broker, uint64_t most);
/* A sequence for a message that is said to be stored and is not (F11). */
uint64_t memory_bus_waste(struct memory_bus_broker *broker);
/* A service's side (`via: request`): while nobody serves, every request finds nobody. Takes the oldest
 * request, false when none; answers it, once, often or never. What is answered to a bus that is closed is
 * lost. */
void memory_bus_serve(struct memory_bus_broker *broker, bool serves);
bool memory_bus_take_request(struct memory_bus_broker *broker, struct arena *arena,
                             struct bus_message *message, struct str *reply);
/* From now on a stream holds this subject, "" : none does; its acknowledgement is the test's to send. */
void memory_bus_hold(struct memory_bus_broker *broker, struct str subject);
void memory_bus_answer(struct memory_bus_broker *broker, struct str reply, const struct bus_message *message);
/* Loses everything queued (F17). */
void memory_bus_wipe(struct memory_bus_broker *broker);
