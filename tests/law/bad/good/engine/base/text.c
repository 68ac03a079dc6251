#include "engine/base/text.h"
#include <string.h>

int text_size(const char *text)
{
    return (int)strlen(text);
}
