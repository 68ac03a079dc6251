#include "engine/runtime/runner_time.h"

#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/recovery.h"

void runner_time_read(struct runner *runner, int64_t database_us)
{
    static const char *const said[] = {
        [TIMEKEEPER_SAME] = NULL,
        [TIMEKEEPER_JUMPED] = "jumped: not followed unless it lasts 30 s",
        [TIMEKEEPER_RETURNED] = "returned by itself",
        [TIMEKEEPER_FOLLOWS] = "ahead for good: followed slowly, so that nothing ends early",
        [TIMEKEEPER_CAUGHT] = "caught up with",
        [TIMEKEEPER_BACK] = "behind for good: time goes back, and what it had begun since is counted anew",
    };
    static const char *const kinds[] = {[TIMEKEEPER_JUMPED] = "jumped",
                                        [TIMEKEEPER_RETURNED] = "returned",
                                        [TIMEKEEPER_FOLLOWS] = "followed",
                                        [TIMEKEEPER_CAUGHT] = "caught_up",
                                        [TIMEKEEPER_BACK] = "back"};
    enum timekeeper_news news = timekeeper_read(&runner->time, engine_clock_us(runner->engine), database_us);
    if (said[news] == NULL)
        return;
    log_warn("database_clock", "ahead_ms=%lld what=%s", (long long)(runner->time.ahead_us / 1000),
             said[news]);
    metrics_add(METRICS_CLOCK_JUMPS, 1, str_from(kinds[news]), METRICS_NO_LABEL);
    runner->count_anew = runner->count_anew || news == TIMEKEEPER_BACK;
}

enum err runner_time_count_anew(struct runner *runner, struct err_note *note)
{
    enum err error = ERR_OK;
    for (uint32_t i = 0; runner->count_anew && i < runner->engine->shard_count && error == ERR_OK; i++)
        if (runner->shards[i].owned)
            error = recovery_enter(runner, i, note);
    if (error == ERR_OK)
        runner->count_anew = false;
    return error;
}
