/* The oracle's books about events from outside: which have come, which await took which. Part of
 * block_oracle_parts.h; called by block_oracle.c. Never asks the core what it thinks. */
#include "engine/sim/block_oracle_parts.h"
#include "engine/base/str.h"

#define PROMISE(rule, what) BLOCK_ORACLE_PROMISE(oracle, rule, what)

static bool is_kept(const struct block_oracle_signal *signal)
{
    return !signal->taken && !signal->dropped;
}

static bool is_for(const struct block_oracle *oracle, const struct block_oracle_signal *signal, uint16_t step)
{
    const struct plan_node *node = &oracle->plan->nodes[oracle->steps[step].node];
    return node->kind == PLAN_AWAIT && str_equal(signal->name, node->await->event);
}

void block_oracle_keep(struct block_oracle *oracle, const struct core_event *event)
{
    PROMISE("signals", event->kind == CORE_EVENT_SIGNAL);
    PROMISE("the oracle's own room", oracle->signal_count < BLOCK_ORACLE_SIGNALS);
    if (oracle->signal_count >= BLOCK_ORACLE_SIGNALS)
        return;
    struct block_oracle_signal *signal = &oracle->signals[oracle->signal_count];
    *signal = (struct block_oracle_signal){.id = event->signal_id.size > 0 ? str_hash(event->signal_id) : 0};
    for (uint16_t i = 0; i < oracle->plan->node_count; i++)
        if (oracle->plan->nodes[i].kind == PLAN_AWAIT &&
            str_equal(oracle->plan->nodes[i].await->event, event->signal))
            signal->name = oracle->plan->nodes[i].await->event;
    for (uint16_t i = 0; i < oracle->signal_count && signal->id != 0; i++)
        PROMISE("signals", oracle->signals[i].id != signal->id || oracle->signals[i].dropped ||
                               !str_equal(oracle->signals[i].name, event->signal));
    PROMISE("signals", signal->name.size > 0);
    oracle->signal_count++;
}

/* The first that came and is there. */
void block_oracle_take(struct block_oracle *oracle, const struct core_change *change)
{
    PROMISE("signals", change->index < oracle->signal_count);
    for (uint16_t i = 0; i <= change->index; i++) {
        bool same = is_for(oracle, &oracle->signals[i], change->step);
        PROMISE("signals", i == change->index ? same && is_kept(&oracle->signals[i])
                                              : !same || !is_kept(&oracle->signals[i]));
    }
    PROMISE("signals", !oracle->steps[change->step].happened);
    oracle->signals[change->index].taken = true;
    oracle->steps[change->step].happened = true;
}

void block_oracle_drop(struct block_oracle *oracle, const struct core_change *change)
{
    PROMISE("signals", change->index < oracle->signal_count && is_kept(&oracle->signals[change->index]));
    oracle->signals[change->index].dropped = true;
    oracle->signals[change->index].steps_then = oracle->step_count;
}

/* An await that waits has no signal that it could have, nor could have had, had it not been dropped before;
 * and a saga that does not go forward any more keeps none. */
void block_oracle_signals_rest(const struct block_oracle *oracle)
{
    bool over = oracle->back || oracle->status > CORE_PARKED;
    for (uint16_t k = 0; k < oracle->signal_count; k++) {
        const struct block_oracle_signal *signal = &oracle->signals[k];
        PROMISE("signals",
                oracle->rules < CORE_RULES_KEPT || oracle->unfinished || !over || !is_kept(signal));
        for (uint16_t i = 0; i < oracle->step_count; i++)
            if (oracle->steps[i].state == CORE_STEP_AWAITING && is_for(oracle, signal, i))
                PROMISE("signals", !is_kept(signal) && (!signal->dropped || i < signal->steps_then));
    }
}
