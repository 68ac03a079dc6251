#include <string.h>
#include "engine/base/text.h"
