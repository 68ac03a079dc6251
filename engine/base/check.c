#include "engine/base/check.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "bug: check(%s) failed at %s:%d\n", expression, file, line);
    abort();
}
