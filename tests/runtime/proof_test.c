/* What bears an engine's proof is what an engine made, byte for byte, for this purpose and shard. */
#include <criterion/criterion.h>
#include <string.h>
#include "engine/base/json.h"
#include "engine/runtime/proof.h"

static const struct proof_key key = {.bytes = "thirty-one bytes of an engine's"};
static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 0);
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(proof, .init = set_up, .fini = tear_down);

static struct str changed_at(struct str text, size_t at)
{
    char *bytes = arena_alloc(&arena, text.size);
    memcpy(bytes, text.data, text.size);
    bytes[at] ^= 1;
    return (struct str){bytes, text.size};
}

Test(proof, a_sealed_text_holds_as_a_whole_or_not_at_all)
{
    struct str nonce = STR("0123456789abcdef0123456789abcdef"), read;
    struct str sealed = proof_seal(&key, PROOF_ASK, 3, nonce, STR("{\"op\":\"verb\"}"), &arena);
    cr_assert(proof_open(&key, PROOF_ASK, 3, sealed, &read));
    cr_assert(str_equal(read, nonce));
    for (size_t i = 0; i < sealed.size; i++) {
        cr_assert_not(proof_open(&key, PROOF_ASK, 3, changed_at(sealed, i), &read), "byte %zu", i);
        cr_assert_not(proof_open(&key, PROOF_ASK, 3, str_slice(sealed, 0, i), &read), "cut at %zu", i);
        cr_assert_not(proof_open(&key, PROOF_ASK, 3, str_slice(sealed, i + 1, sealed.size), &read));
    }
    cr_assert_not(proof_open(&key, PROOF_ASK, 4, sealed, &read), "another shard");
    cr_assert_not(proof_open(&key, PROOF_ANSWER, 3, sealed, &read), "another purpose");
    struct proof_key other = key;
    other.bytes[0] ^= 1;
    cr_assert_not(proof_open(&other, PROOF_ASK, 3, sealed, &read), "another database");
}

Test(proof, a_sealed_text_reads_as_before)
{
    const struct json *object = NULL;
    struct err_note note;
    struct str nonce = STR("0123456789abcdef0123456789abcdef");
    struct str sealed = proof_seal(&key, PROOF_ASK, 3, nonce, STR("{\"op\":\"verb\",\"n\":1.50}"), &arena);
    cr_assert_eq(json_parse(&arena, sealed, 4096, &object, &note), ERR_OK, "%s", note.text);
    cr_assert(str_equal(json_get_str(object, STR("op")), STR("verb")));
    cr_assert(str_equal(json_get_str(object, STR("nonce")), nonce));
}

Test(proof, numbers_are_not_given_twice)
{
    struct rng rng;
    char first[PROOF_NONCE_SIZE + 1], second[PROOF_NONCE_SIZE + 1];
    rng_init(&rng, 1);
    proof_nonce(&rng, first);
    proof_nonce(&rng, second);
    cr_assert_eq(strlen(first), PROOF_NONCE_SIZE);
    cr_assert_str_neq(first, second);
}

static struct bus_message child_command(void)
{
    struct bus_message message = {.subject = STR("saga.child.billing"), .body = STR("{\"a\":1}")};
    bus_header_add(&message, STR("Saga-Command"), STR("018f-x/bill/do/1"));
    bus_header_add(&message, STR("Saga-Kind"), STR("do"));
    bus_header_add(&message, STR("Saga-Child"), STR("018f-y"));
    bus_header_add(&message, STR("Saga-Depth"), STR("1"));
    return message;
}

Test(proof, a_stamped_message_holds_until_something_heeded_changes)
{
    char text[HMAC_TEXT_SIZE + 1];
    struct bus_message message = child_command();
    cr_assert_not(proof_holds(&key, &message), "none");
    proof_stamp(&key, &message, text);
    cr_assert(proof_holds(&key, &message));
    uint32_t count = message.header_count;
    for (uint32_t i = 0; i < count; i++) {
        struct bus_message changed = message;
        changed.headers[i].value = changed_at(message.headers[i].value, message.headers[i].value.size - 1);
        cr_assert_not(proof_holds(&key, &changed), "%.*s", STR_ARG(message.headers[i].name));
        changed.headers[i] = changed.headers[count - 1];
        changed.header_count--;
        cr_assert_not(proof_holds(&key, &changed), "without %.*s", STR_ARG(message.headers[i].name));
    }
    struct bus_message more = message;
    bus_header_add(&more, STR("Saga-Version"), STR("2"));
    cr_assert_not(proof_holds(&key, &more));
    more = message;
    more.subject = STR("saga.child.billinh");
    cr_assert_not(proof_holds(&key, &more));
    more = message;
    more.body = STR("{\"a\":2}");
    cr_assert_not(proof_holds(&key, &more));
}

/* Nats-Msg-Id comes to it, headers change places and case, values lose the blanks around them. */
Test(proof, a_stamped_message_holds_whatever_the_way_does_to_it)
{
    char text[HMAC_TEXT_SIZE + 1];
    struct bus_message message = child_command(),
                       arrived = {.subject = message.subject, .body = message.body};
    message.headers[1].value = STR("do ");
    proof_stamp(&key, &message, text);
    bus_header_add(&arrived, STR("Nats-Msg-Id"), STR("018f-x/bill/do/1"));
    for (uint32_t i = message.header_count; i-- > 0;)
        bus_header_add(&arrived, message.headers[i].name, str_trim(message.headers[i].value));
    arrived.headers[1].name = STR("saga-proof");
    cr_assert(proof_holds(&key, &arrived));
}

/* The end of the headers is told from the beginning of the body. */
Test(proof, a_header_is_no_body)
{
    char text[HMAC_TEXT_SIZE + 1];
    struct bus_message message = {.subject = STR("s"), .body = STR("b")};
    bus_header_add(&message, STR("Saga-Kind"), STR("do"));
    proof_stamp(&key, &message, text);
    struct bus_message moved = {.subject = STR("s"), .body = STR("Saga-Kind:do\n\nb")};
    bus_header_add(&moved, STR("Saga-Proof"), str_from(text));
    cr_assert_not(proof_holds(&key, &moved));
    moved.body = STR("Saga-Kind:do\nb");
    cr_assert_not(proof_holds(&key, &moved));
}
