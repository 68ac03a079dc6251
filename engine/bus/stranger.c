#include "engine/bus/stranger.h"

#include <stdatomic.h>
#include "engine/base/clock.h"
#include "engine/bus/envelope_text.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"

enum { SHOWN_BYTES = 80 }; /* of the subject, in the log */

static const char *const kinds[STRANGER_KINDS] = {
    [STRANGER_STREAM] = "stream", [STRANGER_SUBJECT] = "subject", [STRANGER_PROOF] = "proof"};

static struct {
    _Atomic uint64_t untold;
    _Atomic int64_t told_us; /* 0: never */
} strangers[STRANGER_KINDS];

void stranger_refuse(enum stranger kind, struct str subject)
{
    int64_t now_us = clock_monotonic_us();
    int64_t told_us = atomic_load(&strangers[kind].told_us);
    metrics_add(METRICS_STRANGERS, 1, str_from(kinds[kind]), METRICS_NO_LABEL);
    atomic_fetch_add(&strangers[kind].untold, 1);
    if (told_us != 0 && now_us - told_us < STRANGER_TELL_US)
        return;
    if (!atomic_compare_exchange_strong(&strangers[kind].told_us, &told_us, now_us))
        return; /* another thread tells */
    struct arena arena;
    arena_init(&arena, 0);
    struct str shown = envelope_clean(&arena, subject, SHOWN_BYTES);
    log_warn("stranger_refused", "kind=%s count=%llu subject=%.*s", kinds[kind],
             (unsigned long long)atomic_exchange(&strangers[kind].untold, 0), STR_ARG(shown));
    arena_fini(&arena);
}
