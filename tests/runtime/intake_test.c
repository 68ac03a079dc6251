/* What comes in and is wrong: it is answered or buried once, and the engine goes on. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include "engine/base/duration.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/control.h"
#include "tests/runtime/bed.h"

/* A saga goes its way. */
static void expect_alive(struct bed *bed)
{
    struct bed_call *call = bed_start(bed, 0, "", "{\"what\":\"tea\"}");
    bed_settle(bed);
    cr_assert(call->count == 1 && call->answer.error == ERR_OK, "%s", call->message);
    bed_answer(bed, "shop.reserve", "ok", "1");
    bed_answer(bed, "shop.charge", "ok", "1");
    bed_expect(bed, call->answer.id, "completed");
}

Test(intake, a_malformed_control_message_is_answered_once)
{
    static const char *const bad[] = {
        "{\"op\":7}",
        "{\"op\":\"verb\"}",
        "{\"op\":\"verb\",\"id\":\"x\",\"verb\":\"cancel\"}",
        "{\"op\":\"verb\",\"id\":\"00000000-0000-7000-8000-000000000000\",\"verb\":\"undo\"}",
        "{\"op\":\"child\"}",
        "{\"op\":\"child\",\"id\":\"00000000-0000-7000-8000-000000000000\"}",
        "{\"op\":\"start\"}",
        "{\"op\":\"start\",\"version\":1}",
        "{\"op\":\"start\",\"version\":1,\"definition\":\"nope\",\"input\":{}}",
        "{\"op\":\"start\",\"version\":1,\"definition\":\"order\",\"id\":\"x\"}",
        "{\"op\":\"start\",\"version\":9,\"definition\":\"order\",\"id\":\"x\"}",
    };
    struct bed bed;
    bed_open(&bed, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct engine_answer answer;
        cr_assert(bed_control(&bed, 0, 0, bad[i], &answer), "%s was not answered", bad[i]);
        cr_assert(answer.error == ERR_INVALID || answer.error == ERR_UNAVAILABLE, "%s", bad[i]);
        cr_assert(answer.message.size > 0, "%s", bad[i]);
    }
    expect_alive(&bed);
    bed_close(&bed);
}

static const char *terminate(struct bed *bed, struct id id)
{
    char text[ID_TEXT_SIZE + 1];
    id_format(id, text);
    return arena_printf(
               &bed->arena,
               "{\"op\":\"verb\",\"id\":\"%s\",\"verb\":\"terminate\",\"actor\":\"x\",\"reason\":\"x\"}",
               text)
        .data;
}

static int64_t refused_for_proof(void)
{
    return metrics_value(METRICS_STRANGERS, STR("proof"), METRICS_NO_LABEL);
}

/* What a participant could make a command say, if its text came here after all. */
Test(intake, a_control_message_without_proof_changes_nothing)
{
    struct bed bed;
    struct engine_answer answer;
    bed_open(&bed, 1);
    struct bed_call *call = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    uint32_t shard = id_shard(call->answer.id);
    const char *verb = terminate(&bed, call->answer.id);
    struct proof_key key = bed_key(&bed), other = key;
    other.bytes[31] ^= 1;
    struct str nonce = STR("0123456789abcdef0123456789abcdef");
    struct str good = proof_seal(&key, PROOF_ASK, shard, nonce, str_from(verb), &bed.arena);
    char *changed = arena_alloc(&bed.arena, good.size);
    memcpy(changed, good.data, good.size);
    changed[8] = changed[8] == 'v' ? 'w' : 'v';
    const struct str bad[] = {
        STR(""),
        STR("{}"),
        str_from(verb),
        str_slice(good, 0, good.size - 1),
        str_slice(good, 1, good.size),
        {changed, good.size},
        proof_seal(&other, PROOF_ASK, shard, nonce, str_from(verb), &bed.arena),
        proof_seal(&key, PROOF_ASK, 1 - shard, nonce, str_from(verb), &bed.arena),
        proof_seal(&key, PROOF_ANSWER, shard, nonce, str_from(verb), &bed.arena),
    };
    int64_t before = refused_for_proof();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct str text = bed_control_text(&bed, 0, shard, bad[i]);
        cr_assert(control_read_answer(text, &bed.arena, &answer) && answer.error == ERR_UNAVAILABLE, "%zu",
                  i);
        cr_assert_not(proof_open(&key, PROOF_ANSWER, shard, text, &nonce), "it would tell who is an engine");
    }
    cr_assert(eq(i64, refused_for_proof(), before + (int64_t)(sizeof bad / sizeof *bad)));
    bed_expect(&bed, call->answer.id, "running");
    cr_assert(control_read_answer(bed_control_text(&bed, 0, shard, good), &bed.arena, &answer));
    bed_expect(&bed, call->answer.id, "terminated");
    bed_close(&bed);
}

Test(intake, a_control_message_for_another_shard_is_refused)
{
    struct bed bed;
    struct engine_answer answer;
    uint32_t refused = 0;
    bed_open(&bed, 1);
    struct bed_call *call = bed_start(&bed, 0, "", "{\"what\":1}");
    bed_settle(&bed);
    uint32_t own = id_shard(call->answer.id);
    const char *verb = terminate(&bed, call->answer.id);
    cr_assert(bed_control(&bed, 0, 1 - own, verb, &answer) && answer.error == ERR_INVALID);
    bed_expect(&bed, call->answer.id, "running");
    for (uint32_t shard = 0; shard < 2; shard++) {
        const char *start =
            "{\"op\":\"start\",\"version\":1,\"definition\":\"order\",\"key\":\"k\",\"input\":{}}";
        cr_assert(bed_control(&bed, 0, shard, start, &answer));
        refused += answer.error == ERR_INVALID;
    }
    cr_assert(eq(u32, refused, 1), "a key belongs to one shard");
    cr_assert(bed_control(&bed, 0, own, verb, &answer) && answer.error == ERR_OK);
    bed_expect(&bed, call->answer.id, "terminated");
    bed_close(&bed);
}

/* The owner of the shard has not heard of the definition and cannot ask for it. */
Test(intake, a_start_of_a_definition_that_the_owner_cannot_look_up_is_answered)
{
    static const char late[] = "saga: late\nversion: 1\nsteps:\n"
                               "  - { id: a, command: shop.late, compensate: none }\n";
    struct bed bed;
    struct err_note note = {""};
    bed_open(&bed, 1);
    bed.world.options.shards_max = 1;
    world_stop(&bed.world, 0);
    cr_assert(world_boot(&bed.world, 0, &note) == ERR_OK && world_boot(&bed.world, 1, &note) == ERR_OK);
    bed_settle(&bed);
    bed_define_at(&bed, 0, late);
    bed.world.store_down = true;
    struct bed_call *calls[4];
    for (int i = 0; i < 4; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        calls[i] = bed_start_of(&bed, 0, "late", key, "{}");
        bed_settle(&bed);
    }
    bed.world.store_down = false;
    bed_advance(&bed, 5 * DURATION_SECOND_US);
    uint32_t unavailable = 0;
    for (int i = 0; i < 4; i++)
        unavailable += calls[i]->answer.error == ERR_UNAVAILABLE;
    cr_assert(eq(u32, unavailable, 4), "here or there, the database was away");
    for (int i = 0; i < 4; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        struct bed_call *again = bed_start_of(&bed, 0, "late", key, "{}");
        bed_settle(&bed);
        cr_assert(again->count == 1 && again->answer.error == ERR_OK, "%s", again->message);
        bed_take(&bed, "shop.late");
    }
    bed_close(&bed);
}
