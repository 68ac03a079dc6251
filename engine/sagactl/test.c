/* `sagactl test`: scenarios of a file, told as TAP, JSON or JUnit. Called by main.c. Exits 0 only if each
 * scenario held. */
#include "engine/sagactl/test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/json.h"
#include "engine/model/scenario.h"
#include "engine/sagactl/junit.h"

/* Coverage of one definition, over all files that test it. */
struct covered {
    struct coverage coverage;
    struct str path;
    struct covered *next;
};
struct test {
    struct invocation *invocation;
    struct covered *covered; /* in the order of the files */
    struct buf xml;
    struct junit junit;
    uint32_t passed;
    uint32_t failed;
    int64_t threshold; /* percent; 0: none */
    bool timeline;     /* of those that pass, too */
};

static struct coverage *coverage_of(struct test *test, const struct scenario_file *file)
{
    struct covered **at = &test->covered;
    while (*at && strcmp((*at)->coverage.plan->hash, file->plan->hash) != 0)
        at = &(*at)->next;
    if (!*at) {
        *at = arena_new(test->invocation->arena, struct covered);
        (*at)->path = file->definition_path;
        coverage_init(&(*at)->coverage, file->plan, test->invocation->arena);
    }
    return &(*at)->coverage;
}

/* ---- for people and build servers ---- */

static void print_comment(struct str text, const char *indent)
{
    while (text.size > 0) {
        struct str row = str_slice(text, 0, str_find(text, '\n'));
        text = str_slice(text, row.size + 1, text.size);
        printf("#%s%.*s\n", indent, STR_ARG(row));
    }
}

static void print_tap(const struct test *test, const char *path, const struct scenario_result *result)
{
    printf("%sok %" PRIu32 " - %s: %.*s\n", result->passed ? "" : "not ", test->passed + test->failed, path,
           STR_ARG(result->name));
    for (uint32_t i = 0; i < result->failure_count; i++)
        print_comment(result->failures[i], "   ");
    if (!result->passed || test->timeline) {
        printf("#   %s:%" PRIu32 ", timeline:\n", path, result->line);
        print_comment(result->timeline, "   ");
    }
}

static void print_json(struct test *test, const char *path, const struct scenario_result *result)
{
    struct buf out;
    buf_init(&out, test->invocation->arena);
    buf_puts(&out, "{\"file\":");
    json_write_string(&out, str_from(path));
    buf_puts(&out, ",\"name\":");
    json_write_string(&out, result->name);
    buf_printf(&out, ",\"line\":%" PRIu32 ",\"passed\":%s,\"failures\":[", result->line,
               result->passed ? "true" : "false");
    for (uint32_t i = 0; i < result->failure_count; i++) {
        buf_puts(&out, i == 0 ? "" : ",");
        json_write_string(&out, result->failures[i]);
    }
    buf_puts(&out, "],\"timeline\":");
    json_write_string(&out, result->timeline);
    printf("%.*s}\n", STR_ARG(buf_str(&out)));
}

static void tell(struct test *test, const char *path, const struct scenario_result *result)
{
    test->passed += result->passed;
    test->failed += !result->passed;
    junit_add(&test->junit, str_from(path), result);
    if (test->invocation->json)
        print_json(test, path, result);
    else
        print_tap(test, path, result);
}

/* ---- files ---- */

static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    return slash == path ? "/" : arena_copy(arena, (struct str){path, (size_t)(slash - path)}).data;
}

static void tell_broken(struct test *test, const char *path, struct str why)
{
    struct scenario_result result = {.name = STR("the file can be run"), .failure_count = 1};
    result.failures[0] = why;
    test->failed++;
    junit_add_broken(&test->junit, str_from(path), result.failures[0]);
    if (test->invocation->json) {
        print_json(test, path, &result);
        return;
    }
    printf("not ok %" PRIu32 " - %s: %.*s\n", test->passed + test->failed, path, STR_ARG(result.name));
    print_comment(result.failures[0], " ");
}

static void run_all(struct test *test, const char *path, const struct scenario_file *file)
{
    struct coverage *coverage = coverage_of(test, file);
    struct arena arena;
    arena_init(&arena, 0);
    for (uint32_t i = 0; i < file->count; i++) {
        struct scenario_result result;
        arena_reset(&arena);
        scenario_run(file, i, &arena, coverage, &result);
        tell(test, path, &result);
    }
    arena_fini(&arena);
}

static void run_text(struct test *test, const char *path, struct str text)
{
    struct arena *arena = test->invocation->arena;
    struct diag_list diags;
    struct buf out;
    diag_init(&diags, arena, str_from(path), text);
    const struct scenario_file *file = scenario_read(arena, text, folder_of(arena, path), &diags);
    if (file) {
        run_all(test, path, file);
        return;
    }
    buf_init(&out, arena);
    diag_render(&diags, &out);
    tell_broken(test, path, buf_str(&out));
}

static void run_file(struct test *test, const char *path)
{
    struct str text;
    junit_open(&test->junit, test->invocation->arena);
    if (invocation_read_file(test->invocation, path, &text))
        run_text(test, path, text);
    else
        tell_broken(test, path, STR("it cannot be read"));
    junit_close(&test->junit, str_from(path), &test->xml);
}

/* ---- the end ---- */

/* False when it is below the threshold. */
static bool tell_coverage(const struct test *test, const struct covered *covered)
{
    enum { PERCENT = 100 };
    struct buf out;
    uint32_t some, all;
    coverage_count(&covered->coverage, &some, &all);
    bool enough = (int64_t)some * PERCENT >= test->threshold * all;
    if (test->invocation->json)
        return enough;
    buf_init(&out, test->invocation->arena);
    coverage_render(&covered->coverage, &out);
    printf("# coverage of %.*s: %.*s\n", STR_ARG(covered->path), STR_ARG(buf_str(&out)));
    if (!enough)
        printf("# that is %" PRIu32 " %%, below the %" PRId64 " %% that --threshold asks for\n",
               some * PERCENT / all, test->threshold);
    return enough;
}

static void json_coverage(struct test *test, struct buf *out)
{
    const char *comma = "";
    for (const struct covered *covered = test->covered; covered; covered = covered->next) {
        uint32_t some, all;
        struct buf text;
        buf_init(&text, test->invocation->arena);
        coverage_count(&covered->coverage, &some, &all);
        coverage_render(&covered->coverage, &text);
        buf_printf(out, "%s{\"definition\":", comma);
        json_write_string(out, covered->path);
        buf_printf(out, ",\"covered\":%" PRIu32 ",\"of\":%" PRIu32 ",\"text\":", some, all);
        json_write_string(out, buf_str(&text));
        buf_char(out, '}');
        comma = ",";
    }
}

static bool tell_end(struct test *test)
{
    bool enough = true;
    bool asked = test->threshold > 0 || invocation_option(test->invocation, "coverage") != NULL;
    for (const struct covered *covered = test->covered; covered && asked; covered = covered->next)
        enough = tell_coverage(test, covered) && enough;
    if (test->invocation->json) {
        struct buf out;
        buf_init(&out, test->invocation->arena);
        json_coverage(test, &out);
        printf("{\"passed\":%" PRIu32 ",\"failed\":%" PRIu32 ",\"coverage\":[%.*s]}\n", test->passed,
               test->failed, STR_ARG(buf_str(&out)));
    } else {
        printf("1..%" PRIu32 "\n# %" PRIu32 " passed, %" PRIu32 " failed\n", test->passed + test->failed,
               test->passed, test->failed);
    }
    return enough && test->failed == 0;
}

static bool write_junit(struct test *test)
{
    const char *path = invocation_option(test->invocation, "junit");
    if (path == NULL)
        return true;
    junit_end(&test->xml);
    struct str text = buf_str(&test->xml);
    FILE *file = fopen(path, "we");
    bool fine = file != NULL && fwrite(text.data, 1, text.size, file) == text.size;
    fine = file != NULL && fclose(file) == 0 && fine;
    if (!fine)
        fprintf(stderr, "sagactl test: cannot write %s: %s\n", path, strerror(errno));
    return fine;
}

static bool understood(struct test *test)
{
    enum { ALL = 100 };
    const char *threshold = invocation_option(test->invocation, "threshold");
    test->timeline = invocation_option(test->invocation, "timeline") != NULL;
    if (threshold == NULL ||
        (str_to_i64(str_from(threshold), &test->threshold) && test->threshold >= 1 && test->threshold <= ALL))
        return true;
    fprintf(stderr, "sagactl test: --threshold takes a percentage from 1 to 100\n");
    return false;
}

int test_run(struct invocation *invocation)
{
    struct test test = {.invocation = invocation};
    if (!invocation_expects(invocation, 1, INVOCATION_FILES_MAX) || !understood(&test))
        return INVOCATION_USAGE;
    buf_init(&test.xml, invocation->arena);
    junit_begin(&test.xml);
    if (!invocation->json)
        printf("TAP version 13\n");
    for (int i = 0; i < invocation->argument_count; i++)
        run_file(&test, invocation->arguments[i]);
    bool fine = tell_end(&test);
    return write_junit(&test) && fine ? INVOCATION_FINE : INVOCATION_FAILED;
}
