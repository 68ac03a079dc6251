#include "api/members.h"
#include "engine/base/duration.h"
#include "engine/base/json.h"

void members_text(struct buf *out, const char *name, struct str text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text.size)
        json_write_string(out, text);
    else
        buf_puts(out, "null");
}

void members_time(struct buf *out, const char *name, int64_t time_us)
{
    members_text(out, name, time_us ? duration_time_text(out->arena, time_us) : (struct str){NULL, 0});
}
