#include "engine/ops/failpoint.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/str.h"

#ifdef SAGA_FAILPOINTS
/* Passages of the point that is set; there is only one. */
static atomic_long passages;

/* SIGKILL, not exit: nothing is flushed, no handler runs, as when the machine's owner pulls the process. */
void failpoint_pass(const char *name)
{
    const char *setting = getenv("SAGAD_FAILPOINT");
    int64_t wanted = 1;
    if (setting == NULL) {
        return;
    }
    struct str text = str_from(setting);
    size_t colon = str_find(text, ':');
    if (!str_equal(str_slice(text, 0, colon), str_from(name))) {
        return;
    }
    if (colon < text.size && !str_to_i64(str_slice(text, colon + 1, text.size), &wanted)) {
        wanted = 1;
    }
    if (atomic_fetch_add(&passages, 1) + 1 == wanted) {
        kill(getpid(), SIGKILL);
    }
}
#endif
