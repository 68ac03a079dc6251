#include "engine/runtime/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "engine/base/buf.h"
#include "engine/base/check.h"

_Static_assert((int)STORE_KEY_BYTES == (int)HMAC_KEY_BYTES, "one key");

/* What stands behind the object's other members; of fixed size, so that it is found from the end. */
#define NONCE ",\"nonce\":\""
#define PROOF "\",\"proof\":\""
#define END "\"}"
enum {
    SEAL_BYTES = sizeof NONCE - 1 + PROOF_NONCE_SIZE + sizeof PROOF - 1 + HMAC_TEXT_SIZE + sizeof END - 1
};

static const char *const purposes[] = {[PROOF_ASK] = "sagad 1 ask", [PROOF_ANSWER] = "sagad 1 answer"};

enum err proof_load(struct proof_key *key, struct store *store, struct err_note *note)
{
    struct arena arena;
    struct str bytes = {0};
    arena_init(&arena, 0);
    enum err error = store_engine_key(store, &arena, &bytes, note);
    if (error == ERR_OK && bytes.size != sizeof key->bytes)
        error = err_note(note, ERR_INVALID, "the key of the engines has %zu bytes, not %zu", bytes.size,
                         sizeof key->bytes);
    if (error == ERR_OK)
        memcpy(key->bytes, bytes.data, sizeof key->bytes);
    arena_fini(&arena);
    return error;
}

void proof_nonce(struct rng *rng, char text[PROOF_NONCE_SIZE + 1])
{
    uint64_t high = rng_next(rng);
    snprintf(text, PROOF_NONCE_SIZE + 1, "%016" PRIx64 "%016" PRIx64, high, rng_next(rng));
}

/* Of an object without its last brace, which is put back. */
static void object_code(const struct proof_key *key, enum proof_purpose purpose, uint32_t shard,
                        struct str nonce, struct str open_object, char code[HMAC_TEXT_SIZE + 1])
{
    char head[64];
    snprintf(head, sizeof head, "%s\n%" PRIu32 "\n", purposes[purpose], shard);
    struct str parts[] = {str_from(head), nonce, STR("\n"), open_object, STR("}")};
    hmac_hex(key->bytes, parts, sizeof parts / sizeof *parts, code);
}

struct str proof_seal(const struct proof_key *key, enum proof_purpose purpose, uint32_t shard,
                      struct str nonce, struct str object, struct arena *arena)
{
    char code[HMAC_TEXT_SIZE + 1];
    check(nonce.size == PROOF_NONCE_SIZE && object.size > 2 && object.data[object.size - 1] == '}');
    struct str open_object = str_slice(object, 0, object.size - 1);
    object_code(key, purpose, shard, nonce, open_object, code);
    struct buf out;
    buf_init(&out, arena);
    buf_put(&out, open_object);
    buf_puts(&out, NONCE);
    buf_put(&out, nonce);
    buf_puts(&out, PROOF);
    buf_puts(&out, code);
    buf_puts(&out, END);
    return buf_str(&out);
}

static struct str take(struct str *text, size_t size)
{
    struct str taken = str_slice(*text, 0, size);
    *text = str_slice(*text, size, text->size);
    return taken;
}

bool proof_open(const struct proof_key *key, enum proof_purpose purpose, uint32_t shard, struct str text,
                struct str *nonce)
{
    char code[HMAC_TEXT_SIZE + 1];
    if (text.size <= SEAL_BYTES)
        return false;
    struct str open_object = take(&text, text.size - SEAL_BYTES);
    bool shaped = str_equal(take(&text, sizeof NONCE - 1), STR(NONCE));
    *nonce = take(&text, PROOF_NONCE_SIZE);
    shaped = shaped && str_equal(take(&text, sizeof PROOF - 1), STR(PROOF));
    struct str given = take(&text, HMAC_TEXT_SIZE);
    if (!shaped || !str_equal(text, STR(END)))
        return false;
    object_code(key, purpose, shard, *nonce, open_object, code);
    return hmac_equal(given, str_from(code));
}

/* The headers that engines heed in each other's messages. One that is not there is left out of the code, so
 * that a later version may heed more. A server may trim the values. */
static const char *const heeded[] = {
    "Saga-Command",       "Saga-Kind",           "Saga-Child",          "Saga-Depth",
    "Saga-Version",       "traceparent",         "Saga-Status",         "Saga-Error-Code",
    "Saga-Error-Message", "Saga-Retry-After-Ms", "Saga-Correlation-Id",
};
enum { HEEDED = sizeof heeded / sizeof *heeded, PARTS_MAX = 5 + 4 * HEEDED };

static void message_code(const struct proof_key *key, const struct bus_message *message,
                         char code[HMAC_TEXT_SIZE + 1])
{
    struct str parts[PARTS_MAX] = {STR("sagad 1 message\n"), message->subject, STR("\n")};
    uint32_t count = 3;
    for (size_t i = 0; i < HEEDED; i++) {
        struct str value = str_trim(bus_header(message, str_from(heeded[i])));
        if (value.size == 0)
            continue;
        parts[count++] = str_from(heeded[i]);
        parts[count++] = STR(":");
        parts[count++] = value;
        parts[count++] = STR("\n");
    }
    parts[count++] = STR("\n"); /* the end of the headers */
    parts[count++] = message->body;
    hmac_hex(key->bytes, parts, count, code);
}

void proof_stamp(const struct proof_key *key, struct bus_message *message, char text[HMAC_TEXT_SIZE + 1])
{
    message_code(key, message, text);
    bus_header_add(message, STR("Saga-Proof"), str_from(text));
}

bool proof_holds(const struct proof_key *key, const struct bus_message *message)
{
    char code[HMAC_TEXT_SIZE + 1];
    message_code(key, message, code);
    return hmac_equal(bus_header(message, STR("Saga-Proof")), str_from(code));
}
