#include "engine/sagactl/junit.h"

#include <inttypes.h>

static void put_attribute(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, " %s=\"", name);
    buf_xml(out, value);
    buf_char(out, '"');
}

void junit_begin(struct buf *out)
{
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
}

void junit_open(struct junit *junit, struct arena *arena)
{
    *junit = (struct junit){0};
    buf_init(&junit->cases, arena);
}

static void put_failure(struct buf *out, const struct scenario_result *result)
{
    struct str first = result->failures[0];
    buf_puts(out, "    <failure");
    put_attribute(out, "message", str_slice(first, 0, str_find(first, '\n')));
    buf_char(out, '>');
    for (uint32_t i = 0; i < result->failure_count; i++) {
        buf_xml(out, result->failures[i]);
        buf_char(out, '\n');
    }
    buf_puts(out, "timeline:\n");
    buf_xml(out, result->timeline);
    buf_puts(out, "</failure>\n");
}

void junit_add(struct junit *junit, struct str file, const struct scenario_result *result)
{
    struct buf *out = &junit->cases;
    junit->passed += result->passed;
    junit->failed += !result->passed;
    buf_puts(out, "  <testcase");
    put_attribute(out, "classname", file);
    put_attribute(out, "name", result->name);
    buf_printf(out, " line=\"%" PRIu32 "\">\n", result->line);
    if (!result->passed)
        put_failure(out, result);
    buf_puts(out, "  </testcase>\n");
}

void junit_add_broken(struct junit *junit, struct str file, struct str why)
{
    struct buf *out = &junit->cases;
    junit->failed++;
    buf_puts(out, "  <testcase");
    put_attribute(out, "classname", file);
    put_attribute(out, "name", STR("the file can be run"));
    buf_puts(out, ">\n    <failure message=\"the file has mistakes\">");
    buf_xml(out, why);
    buf_puts(out, "</failure>\n  </testcase>\n");
}

void junit_close(struct junit *junit, struct str file, struct buf *out)
{
    buf_puts(out, "<testsuite");
    put_attribute(out, "name", file);
    buf_printf(out, " tests=\"%" PRIu32 "\" failures=\"%" PRIu32 "\" errors=\"0\">\n",
               junit->passed + junit->failed, junit->failed);
    buf_put(out, buf_str(&junit->cases));
    buf_puts(out, "</testsuite>\n");
}

void junit_end(struct buf *out)
{
    buf_puts(out, "</testsuites>\n");
}
