#include "tests/fuzz/fuzz.h"
#include <time.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/definition/definition.h"
#include "tests/support/effort.h"

enum { EXAMPLES = 8 };

struct str fuzz_part(struct str *rest)
{
    size_t end = str_find(*rest, FUZZ_SEPARATOR);
    struct str part = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->size);
    return part;
}

struct str fuzz_line(struct str *rest)
{
    size_t end = str_find(*rest, '\n');
    struct str line = str_slice(*rest, 0, end);
    *rest = str_slice(*rest, end + 1, rest->size);
    return line;
}

uint8_t fuzz_byte(struct str *rest)
{
    if (rest->size == 0)
        return 0;
    uint8_t byte = (uint8_t)rest->data[0];
    *rest = str_slice(*rest, 1, rest->size);
    return byte;
}

const struct json *fuzz_is_json(struct arena *arena, struct str text)
{
    const struct json *value = NULL;
    struct err_note note;
    check(json_parse(arena, text, SIZE_MAX, &value, &note) == ERR_OK);
    return value;
}

const struct plan *fuzz_plan(unsigned index)
{
    static const char *const paths[EXAMPLES] = {
        SAGA_SOURCE_DIR "/definitions/examples/order.yaml",
        SAGA_SOURCE_DIR "/definitions/examples/checkout.yaml",
        SAGA_SOURCE_DIR "/definitions/examples/return.yaml",
        SAGA_SOURCE_DIR "/definitions/examples/trip.yaml",
        SAGA_SOURCE_DIR "/tests/fuzz/blocks.yaml",
        SAGA_SOURCE_DIR "/definitions/examples/split-shipment.yaml",
        SAGA_SOURCE_DIR "/definitions/examples/loan.yaml",
        SAGA_SOURCE_DIR "/definitions/examples/onboarding.yaml",
    };
    static struct arena arenas[EXAMPLES];
    static const struct plan *plans[EXAMPLES];
    unsigned at = index % EXAMPLES;
    if (plans[at] == NULL) {
        struct diag_list diags;
        struct err_note note;
        arena_init(&arenas[at], 0);
        check(definition_load_file(&arenas[at], paths[at], &diags, &plans[at], &note) == ERR_OK);
        check(plans[at] != NULL);
    }
    return plans[at];
}

struct str fuzz_input(unsigned index)
{
    static const char *const inputs[EXAMPLES] = {
        "{\"order_id\":\"o\",\"customer\":\"c\",\"sku\":\"s\",\"quantity\":1,\"amount\":19.90,\"card\":\"v\","
        "\"address\":\"x\"}",
        "{\"payment_id\":\"p\",\"merchant\":\"m\",\"shopper\":\"s\",\"email\":\"a@b\",\"amount\":10.00,"
        "\"fee\":0.50,"
        "\"currency\":\"EUR\",\"card_token\":\"12345678\"}",
        "{\"return_id\":\"r\",\"order_id\":\"o\",\"lines\":[{\"sku\":\"s\",\"quantity\":2,\"price\":19.90}]}",
        "{\"trip_id\":\"t\",\"traveller\":{\"name\":\"n\",\"passport\":\"p\"},\"flight\":\"f\",\"hotel\":"
        "\"h\",\"nights\":2}",
        "{\"n\":1,\"flag\":true,\"items\":[1,2,9]}",
        "{}",
        "{}",
        "{}",
    };
    return str_from(inputs[index % EXAMPLES]);
}

enum { SOON_US = 100000, SLOWEST = 20 }; /* how much slower a busy machine may make it */

static int64_t cpu_us(void)
{
    struct timespec now;
    check(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t allowed_us(uint64_t counted, unsigned ns_each)
{
    return SOON_US + (int64_t)(counted * ns_each / 1000);
}

void fuzz_measured(void (*run)(void *context), void *context, const uint64_t *counted, unsigned ns_each)
{
    int64_t begin_us = cpu_us();
    run(context);
    if (cpu_us() - begin_us <= allowed_us(*counted, ns_each))
        return;
    struct effort effort = effort_begin();
    run(context);
    check(effort_us(effort) <= allowed_us(*counted, ns_each));
}

void fuzz_measured_once(void (*run)(void *context), void *context, const uint64_t *counted, unsigned ns_each)
{
    int64_t begin_us = cpu_us();
    run(context);
    /* With smaller limits less work is hidden, which must still be seen. */
    int64_t beyond_us = SOON_US - SOON_US / LIMITS_DIVISOR;
    check(cpu_us() - begin_us <= SLOWEST * (allowed_us(*counted, ns_each) - beyond_us));
}
