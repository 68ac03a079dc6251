/* Two versions of a definition side by side: what changed, and whom it affects.
 *
 * Happy path: diff_plans(), then a look at the findings; each has its kind from diff_findings.def, which says
 * how grave it is, for whom, and what follows. Sagas that run keep the version they began with, so nothing
 * here affects them. Everything is in the caller's arena; borrows both plans. Any thread. No failure modes.
 */
#pragma once
#include "engine/base/arena.h"
#include "engine/definition/plan.h"

/* NOTICE: nobody has to do anything. UNCLEAR: somebody must look. BREAKING: what worked stops working. */
enum diff_severity { DIFF_NOTICE, DIFF_UNCLEAR, DIFF_BREAKING };
enum diff_audience {
    DIFF_NOBODY,
    DIFF_STARTS,       /* whoever starts sagas */
    DIFF_PARTICIPANTS, /* whoever does commands */
    DIFF_SIGNALS,      /* whoever sends events to sagas */
    DIFF_READERS,      /* whoever reads sagas: dashboards, parent sagas, callers that wait */
    DIFF_OPERATORS,    /* whoever looks after sagas that do not go well */
};
enum diff_kind {
#define X(name, text, severity, audience, meaning) DIFF_##name,
#include "engine/model/diff_findings.def"
#undef X
};
struct diff_finding {
    enum diff_kind kind;
    struct str place;  /* "charge", "input/parcels", "output": where in the definition; "" : the whole */
    struct str detail; /* what changed: "payments.charge is payments.capture now" */
};
struct diff {
    struct diff_finding *items; /* in the order of the newer file, then what is gone */
    uint32_t count;
    uint32_t room;
};

void diff_plans(const struct plan *older, const struct plan *newer, struct arena *arena, struct diff *diff);
/* The gravest of them; DIFF_NOTICE when there are none. */
enum diff_severity diff_severity(const struct diff *diff);

const char *diff_kind_text(enum diff_kind kind);
const char *diff_kind_meaning(enum diff_kind kind);
enum diff_severity diff_kind_severity(enum diff_kind kind);
enum diff_audience diff_kind_audience(enum diff_kind kind);
const char *diff_severity_text(enum diff_severity severity);
const char *diff_audience_text(enum diff_audience audience);
