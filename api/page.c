#include "api/page.h"
#include "api/literal.h"
#include "engine/base/check.h"
#include "engine/base/json.h"

struct row {
    struct str slug;
    unsigned status;
    struct str title;
};
static const struct row rows[] = {
#define X(name, slug, status, title) {LITERAL(slug), status, LITERAL(title)},
#include "api/pages.def"
#undef X
};

static const struct row *find(enum page_kind kind)
{
    check((size_t)kind < sizeof rows / sizeof rows[0]);
    return &rows[kind];
}

unsigned page_status(enum page_kind kind)
{
    return find(kind)->status;
}

struct str page_slug(enum page_kind kind)
{
    return find(kind)->slug;
}

static void put_member(struct buf *out, const char *name, struct str value)
{
    if (value.size == 0)
        return;
    buf_printf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

static void put_errors(struct buf *out, const struct page *page)
{
    if (page->error_count == 0)
        return;
    buf_puts(out, ",\"errors\":[");
    for (uint32_t i = 0; i < page->error_count; i++) {
        buf_puts(out, i ? ",{\"pointer\":" : "{\"pointer\":");
        json_write_string(out, page->errors[i].pointer);
        buf_puts(out, ",\"detail\":");
        json_write_string(out, page->errors[i].detail);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

void page_write(struct buf *out, const struct page *page)
{
    const struct row *row = find(page->kind);
    buf_printf(out, "{\"type\":\"urn:sagad:problem:%.*s\",\"title\":", STR_ARG(row->slug));
    json_write_string(out, row->title);
    buf_printf(out, ",\"status\":%u", row->status);
    put_member(out, "detail", page->detail);
    put_member(out, "instance", page->instance);
    put_member(out, "hint", page->hint);
    put_errors(out, page);
    if (page->extra.size) {
        buf_char(out, ',');
        buf_put(out, page->extra);
    }
    buf_puts(out, "}\n");
}
