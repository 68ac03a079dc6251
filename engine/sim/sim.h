/* The simulator: real engines, in one thread and in virtual time, among participants, clients and operators,
 * while one seed chooses what fails when.
 *
 * Happy path: sim_run with a seed. First a time of faults, in which every commit, publish, acknowledgement
 * and answer is checked against "persist, then act" as it happens; then all heals, every saga must end or be
 * parked (L1), and the participants' logs, the clients' answers and the journals are compared (S1 to S17),
 * and every saga is replayed (S25).
 * The same seed gives the same trace hash (M4). A failure is a sentence with the rule it breaks; running the
 * seed once more with a trace prints what led to it. One thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* X(NAME, words): what was injected, counted for M1. */
#define SIM_FAULTS(X)                                                                                        \
    X(COMMIT_LOST, "F1 commit applied, answer lost")                                                         \
    X(COMMIT_REFUSED, "F2 commit refused")                                                                   \
    X(COMMIT_DROPPED, "F3 connection dropped inside the transaction")                                        \
    X(STORE_DOWN, "F6 database away")                                                                        \
    X(BUS_DOWN, "broker away")                                                                               \
    X(LOST, "F11 message lost")                                                                              \
    X(ANSWER_LOST, "F12 publish acknowledgement lost")                                                       \
    X(DUPLICATE, "F13 duplicate")                                                                            \
    X(DELAYED, "F14 delayed and reordered")                                                                  \
    X(LATE, "F15 reported as failed, delivered later")                                                       \
    X(WIPED, "F16, F17 stream wiped")                                                                        \
    X(FORGOTTEN, "F18 deduplication window passed")                                                          \
    X(POISON, "reply that the database refuses")                                                             \
    X(GARBAGE, "F20 garbage")                                                                                \
    X(FORGED, "F20 forged between engines")                                                                  \
    X(KILLED, "F21 engine killed between two actions")                                                       \
    X(PAUSED, "F22 engine paused beyond its lease")                                                          \
    X(PARTICIPANT_DIED, "F26 participant dies before or after its effect")                                   \
    X(AWAY, "participant away for a while")                                                                  \
    X(SLOW, "F27 slower than the timeout")                                                                   \
    X(CONTRADICTION, "F28 contradictory reply")                                                              \
    X(FOREIGN, "F29 answer for another's command")                                                           \
    X(UNDO_FAILS, "F30 compensation fails for good")                                                         \
    X(SERVICE_ERROR, "a plain service fails before or after its effect")                                     \
    X(NOBODY, "no plain service is there")                                                                   \
    X(SIGNAL, "event from outside: early, late, twice")                                                      \
    X(VERB, "F31 operator's verb")
enum sim_fault {
#define X(name, words) SIM_##name,
    SIM_FAULTS(X)
#undef X
};
enum {
    SIM_FAULT_COUNT = 0
#define X(name, words) +1
    SIM_FAULTS(X)
#undef X
};
struct sim_options {
    uint64_t seed;
    void (*trace)(int64_t at_us, const char *line); /* gets the timeline; NULL: nobody does */
};
struct sim_result {
    bool good;
    char why[600]; /* "S11: …" */
    uint64_t hash; /* of everything observed */
    uint32_t definitions, sagas;
    uint32_t completed, compensated, parked;
    uint32_t children;        /* of sagas that have ended */
    uint32_t stillborn;       /* children undone before they began: the undo came before its do */
    uint32_t late_deliveries; /* attempts whose time began anew when they were delivered */
    uint32_t undelivered;     /* attempts that were taken back before anybody had them */
    uint32_t replayed;        /* the same as they were recorded */
    uint32_t faults[SIM_FAULT_COUNT];
};
void sim_run(const struct sim_options *options, struct sim_result *result);
const char *sim_fault_words(enum sim_fault fault);
