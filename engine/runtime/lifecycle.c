#include "engine/runtime/lifecycle.h"

struct str lifecycle_of_start(void)
{
    return STR("started");
}

struct str lifecycle_of_status(enum core_status status)
{
    switch (status) {
    case CORE_RUNNING:
        return STR("resumed");
    case CORE_COMPENSATING:
    case CORE_PARKED:
    case CORE_COMPLETED:
    case CORE_COMPENSATED:
    case CORE_TERMINATED:
        return core_status_text(status);
    }
    return (struct str){0};
}
