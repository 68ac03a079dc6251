#include "engine/runtime/trouble.h"

#include <stdio.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/duration.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

static const int64_t fresh_us = 30 * DURATION_SECOND_US;     /* what fails is sent again after seconds; what
                                                                nobody keeps is not, and says nothing for long */
static const int64_t log_pause_us = 10 * DURATION_SECOND_US; /* between two lines about the same cause */

void trouble_init(struct trouble *trouble)
{
    *trouble = (struct trouble){.count = 0};
    check(pthread_mutex_init(&trouble->mutex, NULL) == 0);
}

void trouble_fini(struct trouble *trouble)
{
    pthread_mutex_destroy(&trouble->mutex);
}

/* By class, of which there are few. */
static struct str result_of(const struct bus_published *published)
{
    switch ((int)published->error) {
    case ERR_OK:
        return STR("ok");
    case ERR_TIMEOUT:
        return STR("timeout");
    case ERR_FULL:
        return STR("full");
    case ERR_LIMIT:
        return STR("too_large");
    case ERR_NOT_FOUND:
        return STR("no_stream");
    }
    return published->refused ? STR("refused") : STR("failed");
}

static void tell(struct trouble *trouble, struct str result, int64_t now_us)
{
    bool news = strcmp(trouble->told, trouble->cause) != 0;
    if (trouble->told_us > 0 && now_us - trouble->told_us < (news ? DURATION_SECOND_US : log_pause_us))
        return;
    log_warn("publish_failed", "result=%.*s count=%llu cause=%s", STR_ARG(result),
             (unsigned long long)(trouble->count - trouble->told_count), trouble->cause);
    memcpy(trouble->told, trouble->cause, sizeof trouble->told);
    trouble->told_us = now_us;
    trouble->told_count = trouble->count;
}

static void end(struct trouble *trouble)
{
    pthread_mutex_lock(&trouble->mutex);
    atomic_store(&trouble->present, false);
    trouble->count = trouble->told_count = 0;
    pthread_mutex_unlock(&trouble->mutex);
}

void trouble_published(struct trouble *trouble, const struct bus_published *published, int64_t now_us)
{
    struct str result = result_of(published);
    metrics_add(METRICS_PUBLISHES, 1, result, METRICS_NO_LABEL);
    if (published->error == ERR_OK) {
        if (atomic_load(&trouble->present))
            end(trouble);
        return;
    }
    if (published->error == ERR_CLOSED || published->subject_full) /* one participant's trouble: backlog.c */
        return;
    pthread_mutex_lock(&trouble->mutex);
    snprintf(trouble->cause, sizeof trouble->cause, "%.*s", STR_ARG(published->cause));
    trouble->count++;
    if (published->error != ERR_LIMIT) {
        trouble->last_us = now_us;
        atomic_store(&trouble->present, true);
    }
    tell(trouble, result, now_us);
    pthread_mutex_unlock(&trouble->mutex);
}

enum err trouble_look(struct trouble *trouble, int64_t now_us, struct err_note *note)
{
    enum err error = ERR_OK;
    pthread_mutex_lock(&trouble->mutex);
    if (atomic_load(&trouble->present) && now_us - trouble->last_us < fresh_us)
        error = err_note(note, ERR_UNAVAILABLE, "NATS does not take commands: %s", trouble->cause);
    pthread_mutex_unlock(&trouble->mutex);
    return error;
}
