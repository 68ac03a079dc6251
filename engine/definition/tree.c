/* libyaml's events become nodes, attached to the container on top of a bounded stack. Events are read with a
 * C library that allocates by itself; everything it gives is copied into the arena at once. */
#include "engine/definition/tree.h"

#include <yaml.h>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/definition/problem.h"
#include "engine/definition/tree_scalar.h"

/* An open container. In a mapping, key and value come in turn. */
struct frame {
    struct tree *node;
    bool has_key;
    bool key_broken;
    struct str key;
    struct diag_place key_place;
};
struct build {
    struct arena *arena;
    struct diag_list *diags;
    struct str text;
    const uint32_t *lines; /* where each line begins */
    uint32_t line_count;
    /* Marks count characters, places count bytes: the last one computed, since marks only rise. */
    uint32_t known_line;
    uint32_t known_characters;
    uint32_t known_bytes;
    struct frame frames[LIMITS_YAML_DEPTH];
    uint32_t depth;
    uint32_t node_count;
    struct tree *root;
    bool stopped;
};

static void index_lines(struct build *build)
{
    uint32_t count = 1;
    for (size_t i = 0; i < build->text.size; i++)
        count += build->text.data[i] == '\n';
    uint32_t *lines = arena_array(build->arena, count, sizeof *lines);
    uint32_t line = 1;
    for (size_t i = 0; i < build->text.size; i++) {
        if (build->text.data[i] == '\n')
            lines[line++] = (uint32_t)i + 1;
    }
    build->lines = lines;
    build->line_count = count;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the next `count` characters from `at`, not beyond the line. */
static uint32_t bytes_of(const struct build *build, size_t at, size_t count)
{
    size_t end = at;
    while (count-- > 0 && end < build->text.size && build->text.data[end] != '\n') {
        end++;
        while (end < build->text.size && is_continuation(build->text.data[end]))
            end++;
    }
    return (uint32_t)(end - at);
}

static struct diag_place place_of(struct build *build, yaml_mark_t mark)
{
    uint32_t line = mark.line < build->line_count ? (uint32_t)mark.line : build->line_count - 1;
    if (line != build->known_line || mark.column < build->known_characters) {
        build->known_line = line;
        build->known_characters = 0;
        build->known_bytes = 0;
    }
    size_t from = build->lines[line] + build->known_bytes;
    build->known_bytes += bytes_of(build, from, mark.column - build->known_characters);
    build->known_characters = (uint32_t)mark.column;
    return (struct diag_place){.line = line + 1, .column = build->known_bytes + 1, .size = 1};
}

/* The place of a scalar: all of it, or its first line. */
static struct diag_place place_between(struct build *build, yaml_mark_t begin, yaml_mark_t end)
{
    struct diag_place place = place_of(build, begin);
    size_t from = build->lines[place.line - 1] + place.column - 1;
    if (end.line == begin.line) {
        place.size = bytes_of(build, from, end.column - begin.column);
        return place;
    }
    struct str rest = str_slice(build->text, from, build->text.size);
    place.size = (uint32_t)str_trim(str_slice(rest, 0, str_find(rest, '\n'))).size;
    return place;
}

/* Where the text of a literal or folded scalar begins: the first line below that is not blank. */
static struct diag_place place_of_block(const struct build *build, struct diag_place header)
{
    for (uint32_t line = header.line; line < build->line_count; line++) {
        size_t at = build->lines[line];
        while (at < build->text.size && build->text.data[at] == ' ')
            at++;
        if (at < build->text.size && build->text.data[at] != '\n' && build->text.data[at] != '\r')
            return (struct diag_place){line + 1, (uint32_t)(at - build->lines[line]) + 1, 1};
    }
    return header;
}

static void stop(struct build *build, struct diag_place place, struct str hint, const char *what, int bound)
{
    problem_add(build->diags, place, PROBLEM_TOO_LARGE, hint, what, bound);
    build->stopped = true;
}

static struct tree *new_node(struct build *build, enum tree_kind kind, struct diag_place place)
{
    struct tree *node = arena_new(build->arena, struct tree);
    node->kind = kind;
    node->place = place;
    node->inside = place;
    if (++build->node_count > LIMITS_YAML_NODES)
        stop(build, place, STR(""), "more than %d values in one file", LIMITS_YAML_NODES);
    return node;
}

static struct frame *top(struct build *build)
{
    return build->depth ? &build->frames[build->depth - 1] : NULL;
}

static bool expects_key(struct build *build)
{
    struct frame *frame = top(build);
    return frame && frame->node->kind == TREE_MAPPING && !frame->has_key;
}

static void append(struct tree *container, struct tree *node)
{
    if (container->last)
        container->last->next = node;
    else
        container->first = node;
    container->last = node;
    container->count++;
}

static void refuse_key(struct build *build, struct diag_place place, const char *what)
{
    problem_add(build->diags, place, PROBLEM_BAD_KEY, STR("a key is a word or a quoted text"),
                "%s cannot be a key", what);
}

/* A finished value goes where it belongs. */
static void attach(struct build *build, struct tree *node)
{
    struct frame *frame = top(build);
    if (!frame) {
        if (!build->root)
            build->root = node;
    } else if (frame->node->kind == TREE_SEQUENCE) {
        append(frame->node, node);
    } else if (!frame->has_key) {
        frame->has_key = true;
        frame->key_broken = true;
    } else {
        frame->has_key = false;
        node->key = frame->key;
        node->key_place = frame->key_place;
        if (!frame->key_broken)
            append(frame->node, node);
    }
}

static void refuse_properties(struct build *build, struct diag_place place, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor)
        problem_add(build->diags, place, PROBLEM_ANCHOR, STR("write the value out where it is used"),
                    "the anchor \"&%.60s\" is not allowed", (const char *)anchor);
    if (tag)
        problem_add(build->diags, place, PROBLEM_TAG,
                    STR("leave it out: quotes make a text, plain digits make a number"),
                    "the tag \"%.60s\" is not allowed", (const char *)tag);
}

static void take_key(struct build *build, struct str text, bool plain, struct diag_place place)
{
    struct frame *frame = top(build);
    *frame = (struct frame){.node = frame->node, .has_key = true, .key = text, .key_place = place};
    if (plain && str_equal(text, STR("<<"))) {
        problem_add(build->diags, place, PROBLEM_MERGE_KEY, STR("write the keys out"),
                    "the merge key \"<<\" is not allowed");
        frame->key_broken = true;
    } else if (plain && tree_scalar_is_null(text)) {
        refuse_key(build, place, text.size ? "null" : "nothing");
        frame->key_broken = true;
    }
}

static char style_of(yaml_scalar_style_t style)
{
    switch (style) {
    case YAML_ANY_SCALAR_STYLE:
    case YAML_PLAIN_SCALAR_STYLE:
        return 0;
    case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        return '\'';
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        return '"';
    case YAML_LITERAL_SCALAR_STYLE:
        return '|';
    case YAML_FOLDED_SCALAR_STYLE:
        return '>';
    }
    check_never("unknown scalar style");
}

static void on_scalar(struct build *build, const yaml_event_t *event)
{
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct str given = {(const char *)event->data.scalar.value, event->data.scalar.length};
    struct str text = arena_copy(build->arena, given);
    struct diag_place place = place_between(build, event->start_mark, event->end_mark);
    refuse_properties(build, place, event->data.scalar.anchor, event->data.scalar.tag);
    if (str_find(text, '\0') < text.size) {
        problem_add(build->diags, place, PROBLEM_BAD_CHARACTER,
                    STR("JSON texts in a database cannot hold it"), "the text holds U+0000");
        text = STR("?");
    }
    if (expects_key(build)) {
        take_key(build, text, plain, place);
        return;
    }
    struct tree *node = new_node(build, TREE_STRING, place);
    node->text = text;
    node->style = style_of(event->data.scalar.style);
    if (plain)
        tree_scalar_resolve(node, build->diags);
    else if (node->style == '|' || node->style == '>')
        node->inside = place_of_block(build, place);
    else
        node->inside.column++;
    node->inside_at = build->lines[node->inside.line - 1] + node->inside.column - 1;
    attach(build, node);
}

static void on_alias(struct build *build, const yaml_event_t *event)
{
    struct diag_place place = place_between(build, event->start_mark, event->end_mark);
    problem_add(build->diags, place, PROBLEM_ALIAS, STR("write the value out"),
                "the alias \"*%.60s\" is not allowed", (const char *)event->data.alias.anchor);
    attach(build, new_node(build, TREE_BROKEN, place));
}

static void on_open(struct build *build, const yaml_event_t *event, enum tree_kind kind)
{
    struct diag_place place = place_of(build, event->start_mark);
    if (kind == TREE_SEQUENCE)
        refuse_properties(build, place, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    else
        refuse_properties(build, place, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    if (expects_key(build))
        refuse_key(build, place, tree_kind_text(kind));
    struct tree *node = new_node(build, kind, place);
    if (build->depth == LIMITS_YAML_DEPTH) {
        stop(build, place, STR(""), "more than %d levels within each other", LIMITS_YAML_DEPTH);
        return;
    }
    build->frames[build->depth++] = (struct frame){.node = node};
}

/* Keeps the first of entries with the same key. */
static void refuse_duplicates(struct build *build, struct tree *mapping)
{
    struct map seen;
    map_init(&seen);
    struct tree *kept = NULL;
    for (struct tree *entry = mapping->first; entry; entry = entry->next) {
        const struct tree *before = map_get(&seen, entry->key);
        if (!before) {
            map_set(&seen, entry->key, entry);
            kept = entry;
            continue;
        }
        problem_add(build->diags, entry->key_place, PROBLEM_DUPLICATE_KEY,
                    arena_printf(build->diags->arena, "the first one is in line %u", before->key_place.line),
                    "the key \"%.*s\" stands here twice", STR_ARG(entry->key));
        kept->next = entry->next;
        mapping->count--;
    }
    mapping->last = kept;
    map_fini(&seen);
}

/* A mapping without braces begins with its first key: that is what to underline. */
static bool begins_with(struct diag_place mapping, struct diag_place key)
{
    return mapping.line == key.line && mapping.column == key.column;
}

static void on_close(struct build *build)
{
    check(build->depth > 0);
    struct tree *node = build->frames[--build->depth].node;
    if (node->kind == TREE_MAPPING)
        refuse_duplicates(build, node);
    for (const struct tree *child = node->first; child; child = child->next)
        node->depth = child->depth > node->depth ? child->depth : node->depth;
    node->depth++;
    if (node->kind == TREE_MAPPING && node->first && begins_with(node->place, node->first->key_place))
        node->place = node->first->key_place;
    attach(build, node);
}

static void on_document(struct build *build, const yaml_event_t *event)
{
    struct diag_place place = place_of(build, event->start_mark);
    if (build->root) {
        problem_add(build->diags, place, PROBLEM_SECOND_DOCUMENT, STR("put each saga into a file of its own"),
                    "a second document begins here");
        build->stopped = true;
    }
    if (event->data.document_start.version_directive ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
        problem_add(build->diags, place, PROBLEM_DIRECTIVE, STR("leave it out"),
                    "a line that begins with \"%%\" is not allowed");
}

static void on_event(struct build *build, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        on_document(build, event);
        break;
    case YAML_ALIAS_EVENT:
        on_alias(build, event);
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(build, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_open(build, event, TREE_SEQUENCE);
        break;
    case YAML_MAPPING_START_EVENT:
        on_open(build, event, TREE_MAPPING);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(build);
        break;
    case YAML_STREAM_END_EVENT:
        build->stopped = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* Braces of an expression written plainly within YAML's own braces, or its colons, are what most often breaks
 * a file. */
static struct str syntax_hint(const struct build *build, uint32_t line)
{
    size_t begin = build->lines[line];
    struct str rest = str_slice(build->text, begin, build->text.size);
    struct str shown = str_slice(rest, 0, str_find(rest, '\n'));
    for (size_t at = 0; at + 1 < shown.size; at++) {
        if (shown.data[at] == '$' && shown.data[at + 1] == '{')
            return STR("put the expression in quotes: \"${ … }\"");
    }
    return STR("");
}

static void on_syntax_error(struct build *build, const yaml_parser_t *parser)
{
    struct diag_place place = place_of(build, parser->problem_mark);
    const char *problem = parser->problem ? parser->problem : "the text is not YAML";
    if (parser->context)
        problem_add(build->diags, place, PROBLEM_YAML_SYNTAX, syntax_hint(build, place.line - 1),
                    "not YAML: %s, %s that began in line %zu", problem, parser->context,
                    parser->context_mark.line + 1);
    else
        problem_add(build->diags, place, PROBLEM_YAML_SYNTAX, syntax_hint(build, place.line - 1),
                    "not YAML: %s", problem);
}

static void read_events(struct build *build, yaml_parser_t *parser)
{
    bool failed = false;
    while (!build->stopped) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            on_syntax_error(build, parser);
            failed = true;
            break;
        }
        on_event(build, &event);
        yaml_event_delete(&event);
    }
    if (failed || build->depth > 0)
        build->root = NULL;
}

/* Tabs were reported already; as spaces of the same width they let the rest be read. */
static struct str without_tabs(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.size + 1);
    for (size_t i = 0; i < text.size; i++)
        copy[i] = text.data[i] == '\t' ? ' ' : text.data[i];
    return (struct str){copy, text.size};
}

const struct tree *tree_read(struct arena *arena, struct str text, struct diag_list *diags)
{
    if (!tree_check_text(text, diags))
        return NULL;
    struct build *build = arena_new(arena, struct build);
    build->arena = arena;
    build->diags = diags;
    build->text = without_tabs(arena, text);
    index_lines(build);
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        check_never("no memory for a YAML parser"); /* as arena.h: exhaustion is a crash, which is safe */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)build->text.data, build->text.size);
    size_t errors_before = diags->error_count;
    read_events(build, &parser);
    yaml_parser_delete(&parser);
    bool nothing = !build->root || (build->root->kind == TREE_NULL && build->root->text.size == 0);
    if (nothing && diags->error_count == errors_before)
        problem_add(diags, (struct diag_place){1, 1, 1}, PROBLEM_EMPTY_FILE,
                    STR("a definition begins with `saga: name`, a file of scenarios with `definition: FILE`"),
                    "the file is empty");
    return nothing ? NULL : build->root;
}
