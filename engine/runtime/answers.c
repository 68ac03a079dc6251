#include "engine/runtime/answers.h"

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/meter.h"

static void put_answer(struct runner *runner, struct runner_answer answer)
{
    pthread_mutex_lock(&runner->answers_lock);
    if (runner->answer_count == runner->answer_room) {
        runner->answer_room = runner->answer_room == 0 ? 1024 : runner->answer_room * 2;
        runner->answers = memory_resize(runner->answers, runner->answer_room, sizeof *runner->answers);
    }
    runner->answers[runner->answer_count++] = answer;
    pthread_mutex_unlock(&runner->answers_lock);
}

void runner_published(struct runner *runner, const struct bus_published *published)
{
    put_answer(runner, (struct runner_answer){.cookie = published->cookie,
                                              .error = published->error,
                                              .refused = published->refused,
                                              .subject_full = published->subject_full,
                                              .sequence = published->sequence,
                                              .at_us = clock_monotonic_us()});
    if (published->error != ERR_OK || atomic_exchange(&runner->starved, false))
        inbox_wake(&runner->inbox);
}

void runner_taken_back(struct runner *runner, uint64_t number, enum err error)
{
    put_answer(runner, (struct runner_answer){.back = true, .cookie = number, .error = error});
    inbox_wake(&runner->inbox);
}

uint64_t runner_cookie(const struct runner *runner, uint64_t number)
{
    return (uint64_t)runner->index << RUNNER_NUMBER_BITS | number;
}

static void take_answer(struct runner *runner, const struct runner_answer *answer)
{
    if (answer->back) {
        delivery_taken_back(runner, answer->cookie, answer->error);
        return;
    }
    uint32_t shard = (uint32_t)(answer->cookie >> OUTBOX_NUMBER_BITS);
    uint64_t number = answer->cookie & ((UINT64_C(1) << OUTBOX_NUMBER_BITS) - 1);
    if (shard >= runner->engine->shard_count || !runner->shards[shard].owned)
        return;
    struct outbox *outbox = &runner->shards[shard].outbox;
    struct outbox_slot slot = outbox_look(outbox, number);
    /* What is too large for the stream is not sent again. */
    bool confirmed = answer->error == ERR_OK || answer->error == ERR_LIMIT;
    if (slot.again || answer->subject_full)
        confirmed = refusal_answered(runner, &slot, answer) || confirmed;
    (void)outbox_answer(outbox, number, confirmed);
    meter_published(slot.taken_us, answer->at_us);
    delivery_answered(runner, slot.flight, answer->error, answer->refused, answer->sequence);
}

void answers_take(struct runner *runner)
{
    pthread_mutex_lock(&runner->answers_lock);
    struct runner_answer *answers = runner->answers;
    uint32_t count = runner->answer_count, room = runner->answer_room;
    runner->answers = runner->answers_taken;
    runner->answer_room = runner->taken_room;
    runner->answer_count = 0;
    pthread_mutex_unlock(&runner->answers_lock);
    runner->answers_taken = answers;
    runner->taken_room = room;
    for (uint32_t i = 0; i < count; i++)
        take_answer(runner, &answers[i]);
}
