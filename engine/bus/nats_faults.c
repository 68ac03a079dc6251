/* What NATS has said against us, kept by subject until it works again. Told by the lines' threads, read by
 * readiness, the log and a metric. Never decides anything: a fault is forgotten only when the same thing was
 * seen to work. */
#include "engine/bus/nats_faults.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/clock.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

static const char *const classes[] = {
    [NATS_LINE_PUBLISH_DENIED] = "publish_denied",
    [NATS_LINE_SUBSCRIBE_DENIED] = "subscribe_denied",
    [NATS_LINE_LOGIN_REFUSED] = "login_refused",
    [NATS_LINE_SLOW] = "slow_consumer",
    [NATS_LINE_OTHER] = "other",
};

/* How many tokens of a subject name a right; the rest is the message's own. The first line that fits holds.
 */
static const struct {
    const char *prefix;
    int tokens;
} shapes[] = {
    {"$JS.ACK.", 3},                   /* the stream */
    {"$JS.API.CONSUMER.MSG.NEXT.", 6}, /* the stream */
    {"$JS.API.CONSUMER.DURABLE.CREATE.", 6},
    {"$JS.API.CONSUMER.", 5},
    {"$JS.API.STREAM.MSG.", 6},
    {"$JS.API.", 5},
    {"saga.cmd.", 3}, /* the participant */
    {"saga.", 2},
    {"_INBOX", 2}, /* whose inbox */
};

void nats_faults_right(const char *subject, char right[NATS_FAULTS_SUBJECT_BYTES])
{
    int tokens = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && tokens == 0; i++)
        if (strncmp(subject, shapes[i].prefix, strlen(shapes[i].prefix)) == 0)
            tokens = shapes[i].tokens;
    const char *end = subject;
    for (int i = 0; i < tokens && end != NULL; i++)
        end = strchr(i == 0 ? end : end + 1, '.');
    if (tokens == 0 || end == NULL)
        snprintf(right, NATS_FAULTS_SUBJECT_BYTES, "%s", subject);
    else
        snprintf(right, NATS_FAULTS_SUBJECT_BYTES, "%.*s.>", (int)(end - subject), subject);
}

void nats_faults_init(struct nats_faults *faults)
{
    memset(faults, 0, sizeof *faults);
    pthread_mutex_init(&faults->mutex, NULL);
}

void nats_faults_fini(struct nats_faults *faults)
{
    pthread_mutex_destroy(&faults->mutex);
}

/* What stands in quotes in: Permissions Violation for Publish to "saga.cmd.inventory.reserve" */
static void subject_of(const char *text, char subject[NATS_FAULTS_SUBJECT_BYTES])
{
    const char *begin = strchr(text, '"');
    begin = begin != NULL ? begin + 1 : text;
    snprintf(subject, NATS_FAULTS_SUBJECT_BYTES, "%.*s", (int)strcspn(begin, "\""), begin);
}

/* With the mutex held. The oldest one gives its place away when there is none. */
static struct nats_fault *place_of(struct nats_faults *faults, const char *right, bool subscribe)
{
    struct nats_fault *oldest = &faults->faults[0];
    for (uint32_t i = 0; i < NATS_FAULTS_MAX; i++) {
        struct nats_fault *fault = &faults->faults[i];
        if (fault->subscribe == subscribe && strcmp(fault->right, right) == 0)
            return fault;
        if (oldest->open ? !fault->open || fault->last_us < oldest->last_us
                         : !fault->open && fault->last_us < oldest->last_us)
            oldest = fault;
    }
    *oldest = (struct nats_fault){.subscribe = subscribe};
    snprintf(oldest->right, sizeof oldest->right, "%s", right);
    return oldest;
}

static void deny(struct nats_faults *faults, const char *line, bool subscribe, const char *text)
{
    char subject[NATS_FAULTS_SUBJECT_BYTES], right[NATS_FAULTS_SUBJECT_BYTES];
    int64_t now_us = clock_monotonic_us();
    subject_of(text, subject);
    nats_faults_right(subject, right);
    pthread_mutex_lock(&faults->mutex);
    struct nats_fault *fault = place_of(faults, right, subscribe);
    bool tell = !fault->open || now_us - fault->told_us > NATS_FAULTS_TELL_US;
    fault->untold++;
    uint64_t times = fault->untold;
    if (!fault->open)
        fault->tried_us = 0;
    fault->open = true;
    atomic_store(&faults->any, true);
    fault->last_us = now_us;
    snprintf(fault->subject, sizeof fault->subject, "%s", subject);
    snprintf(fault->text, sizeof fault->text, "%s", text);
    if (tell) {
        fault->told_us = now_us;
        fault->untold = 0;
    }
    pthread_mutex_unlock(&faults->mutex);
    if (tell)
        log_error("nats_denied", "line=%s right=%s what=%s times=%" PRIu64 " said=%s", line, right,
                  subscribe ? "subscribe" : "publish", times, text);
}

static void note_other(struct nats_faults *faults, const char *line, enum nats_line_complaint complaint,
                       const char *text)
{
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&faults->mutex);
    uint64_t times = ++faults->others[complaint].untold;
    int64_t told_us = faults->others[complaint].told_us;
    bool tell = told_us == 0 || now_us - told_us > NATS_FAULTS_TELL_US;
    if (tell) {
        faults->others[complaint].told_us = now_us;
        faults->others[complaint].untold = 0;
    }
    pthread_mutex_unlock(&faults->mutex);
    if (tell)
        log_error("nats_error", "line=%s class=%s times=%" PRIu64 " said=%s", line, classes[complaint], times,
                  text);
}

void nats_faults_add(struct nats_faults *faults, const char *line, enum nats_line_complaint complaint,
                     const char *text)
{
    metrics_add(METRICS_NATS_ERRORS, 1, str_from(classes[complaint]), METRICS_NO_LABEL);
    if (complaint == NATS_LINE_PUBLISH_DENIED || complaint == NATS_LINE_SUBSCRIBE_DENIED)
        deny(faults, line, complaint == NATS_LINE_SUBSCRIBE_DENIED, text);
    else
        note_other(faults, line, complaint, text);
}

bool nats_faults_open(struct nats_faults *faults, struct err_note *note)
{
    bool open = false;
    if (!atomic_load(&faults->any))
        return false;
    pthread_mutex_lock(&faults->mutex);
    for (uint32_t i = 0; i < NATS_FAULTS_MAX && !open; i++) {
        const struct nats_fault *fault = &faults->faults[i];
        open = fault->open;
        if (open)
            (void)!err_note(note, ERR_UNAVAILABLE, "NATS refuses the right to %s %s: %s",
                            fault->subscribe ? "subscribe to" : "publish to", fault->right, fault->text);
    }
    pthread_mutex_unlock(&faults->mutex);
    return open;
}

bool nats_faults_subscribe(struct nats_faults *faults)
{
    bool open = false;
    if (!atomic_load(&faults->any))
        return false;
    pthread_mutex_lock(&faults->mutex);
    for (uint32_t i = 0; i < NATS_FAULTS_MAX; i++)
        open = open || (faults->faults[i].open && faults->faults[i].subscribe);
    pthread_mutex_unlock(&faults->mutex);
    return open;
}

/* With the mutex held. */
static void close_fault(struct nats_fault *fault, const char *why)
{
    fault->open = false;
    log_info("nats_allowed", "right=%s what=%s because=%s", fault->right,
             fault->subscribe ? "subscribe" : "publish", why);
}

void nats_faults_tried(struct nats_faults *faults, struct str subject)
{
    if (!atomic_load(&faults->any))
        return;
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&faults->mutex);
    for (uint32_t i = 0; i < NATS_FAULTS_MAX; i++)
        if (faults->faults[i].open && str_equal(str_from(faults->faults[i].subject), subject))
            faults->faults[i].tried_us = now_us;
    pthread_mutex_unlock(&faults->mutex);
}

void nats_faults_heal(struct nats_faults *faults, const char *subject, bool subscribe, int64_t since_us)
{
    char right[NATS_FAULTS_SUBJECT_BYTES];
    if (!atomic_load(&faults->any))
        return;
    nats_faults_right(subject, right);
    pthread_mutex_lock(&faults->mutex);
    for (uint32_t i = 0; i < NATS_FAULTS_MAX; i++) {
        struct nats_fault *fault = &faults->faults[i];
        if (fault->open && fault->subscribe == subscribe && fault->last_us < since_us &&
            strcmp(fault->right, right) == 0)
            close_fault(fault, "it works again");
    }
    pthread_mutex_unlock(&faults->mutex);
}

void nats_faults_age(struct nats_faults *faults, int64_t now_us)
{
    bool any = false;
    if (!atomic_load(&faults->any))
        return;
    pthread_mutex_lock(&faults->mutex);
    for (uint32_t i = 0; i < NATS_FAULTS_MAX; i++) {
        struct nats_fault *fault = &faults->faults[i];
        bool again = fault->tried_us > fault->last_us && now_us - fault->tried_us > NATS_FAULTS_QUIET_US;
        if (fault->open && !fault->subscribe && again)
            close_fault(fault, "it was sent again and not refused");
        else if (fault->open && !fault->subscribe && now_us - fault->last_us > NATS_FAULTS_FORGET_US)
            close_fault(fault, "it was not refused for a minute");
        any = any || fault->open;
    }
    atomic_store(&faults->any, any);
    pthread_mutex_unlock(&faults->mutex);
}

uint32_t nats_faults_list(struct nats_faults *faults, struct nats_fault list[NATS_FAULTS_MAX])
{
    uint32_t count = 0;
    pthread_mutex_lock(&faults->mutex);
    for (uint32_t i = 0; i < NATS_FAULTS_MAX; i++)
        if (faults->faults[i].open)
            list[count++] = faults->faults[i];
    pthread_mutex_unlock(&faults->mutex);
    return count;
}
