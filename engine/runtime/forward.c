/* Requests on their way to the owners of other shards, each with a deadline of its own. Called by the
 * router's thread; only forward_called is the bus's. Never waits for one owner while another could answer,
 * and never sends a request twice. */
#include "engine/runtime/forward.h"

#include <inttypes.h>
#include <string.h>
#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/ops/log.h"
#include "engine/ops/metrics.h"
#include "engine/runtime/control.h"
#include "engine/runtime/engine_parts.h"
#include "engine/runtime/proof.h"

static const int64_t nobody_us = 1000000; /* a shard that nobody served is passed over for so long */
enum { FROZEN_AFTER = 3 };                /* time-outs in a row; one may be a hiccup of the network */
enum { COOKIE_INDEX_BITS = 16, SHARD_LEAST = 8 };
_Static_assert(LIMITS_FORWARDS <= 1 << COOKIE_INDEX_BITS, "an index fits");

struct forward {
    struct inbox_item *item; /* NULL: free */
    uint64_t number;         /* tells it from those that had the slot before */
    uint32_t shard;
    char nonce[PROOF_NONCE_SIZE + 1]; /* what its answer must bear */
    bool answered;
    enum err error;
    struct str text;
};
struct forward_shard {
    uint32_t open;
    uint32_t silent;      /* time-outs in a row */
    int64_t nobody_until; /* monotonic */
};
struct forwards {
    struct engine *engine;
    uint32_t most; /* under way; what follows: of one shard */
    uint32_t shard_most;
    struct rng rng;       /* of the nonces */
    pthread_mutex_t lock; /* everything below */
    struct forward *slots;
    uint16_t *free;
    uint32_t free_count;
    uint16_t *answered; /* a ring, as long as there are slots */
    uint64_t answered_first, answered_end;
    uint64_t number;
    struct forward_shard *shards;
};

struct forwards *forward_new(struct engine *engine)
{
    struct forwards *forwards = memory_new(1, sizeof *forwards);
    forwards->engine = engine;
    uint32_t wanted = engine->options.forwards_max;
    forwards->most = wanted == 0 || wanted > LIMITS_FORWARDS ? LIMITS_FORWARDS : wanted;
    uint32_t fair = forwards->most / engine->shard_count;
    forwards->shard_most = fair > SHARD_LEAST ? fair : SHARD_LEAST;
    rng_init(&forwards->rng, engine->options.seed == 0 ? rng_entropy() : engine->options.seed);
    check(pthread_mutex_init(&forwards->lock, NULL) == 0);
    forwards->slots = memory_new(forwards->most, sizeof *forwards->slots);
    forwards->free = memory_new(forwards->most, sizeof *forwards->free);
    forwards->answered = memory_new(forwards->most, sizeof *forwards->answered);
    forwards->shards = memory_new(engine->shard_count, sizeof *forwards->shards);
    while (forwards->free_count < forwards->most) {
        forwards->free[forwards->free_count] = (uint16_t)(forwards->most - 1 - forwards->free_count);
        forwards->free_count++;
    }
    return forwards;
}

void forward_free(struct forwards *forwards)
{
    for (struct inbox_item *item = forward_give_up(forwards); item != NULL; item = forward_give_up(forwards))
        inbox_item_free(item);
    pthread_mutex_destroy(&forwards->lock);
    memory_free(forwards->slots);
    memory_free(forwards->free);
    memory_free(forwards->answered);
    memory_free(forwards->shards);
    memory_free(forwards);
}

static void count(const char *result)
{
    metrics_add(METRICS_FORWARDS, 1, str_from(result), METRICS_NO_LABEL);
}

static bool is_frozen(const struct forward_shard *shard)
{
    return shard->silent >= FROZEN_AFTER;
}

static bool has_room(const struct forwards *forwards, const struct forward_shard *shard)
{
    return shard->open < (is_frozen(shard) ? 1 : forwards->shard_most);
}

/* With the lock held; ERR_OK: the slot is the item's. */
static enum err take_slot(struct forwards *forwards, struct inbox_item *item, const char *nonce,
                          uint64_t *cookie, struct err_note *note)
{
    struct forward_shard *shard = &forwards->shards[item->shard];
    if (!has_room(forwards, shard))
        return err_note(note, ERR_UNAVAILABLE, "the owner of shard %" PRIu32 " does not answer", item->shard);
    if (forwards->free_count == 0)
        return err_note(note, ERR_FULL, "too many requests wait for other engines; try again later");
    uint16_t index = forwards->free[--forwards->free_count];
    forwards->slots[index] =
        (struct forward){.item = item, .number = ++forwards->number, .shard = item->shard};
    memcpy(forwards->slots[index].nonce, nonce, PROOF_NONCE_SIZE);
    shard->open++;
    *cookie = forwards->number << COOKIE_INDEX_BITS | index;
    return ERR_OK;
}

/* With the lock held. */
static struct inbox_item *release_slot(struct forwards *forwards, uint32_t index)
{
    struct forward *forward = &forwards->slots[index];
    struct inbox_item *item = forward->item;
    forwards->shards[forward->shard].open--;
    forward->item = NULL;
    forwards->free[forwards->free_count++] = (uint16_t)index;
    return item;
}

enum err forward_send(struct forwards *forwards, struct inbox_item *item, struct err_note *note)
{
    struct engine *engine = forwards->engine;
    char nonce[PROOF_NONCE_SIZE + 1];
    uint64_t cookie = 0;
    proof_nonce(&forwards->rng, nonce);
    pthread_mutex_lock(&forwards->lock);
    enum err error = take_slot(forwards, item, nonce, &cookie, note);
    pthread_mutex_unlock(&forwards->lock);
    if (error == ERR_OK) {
        struct str body =
            proof_seal(&engine->key, PROOF_ASK, item->shard, str_from(nonce),
                       control_write(&item->task, item->delivery.identity, &item->arena), &item->arena);
        error = bus_call(engine->bus, item->shard, body, FORWARD_TIMEOUT_US, cookie, note);
        pthread_mutex_lock(&forwards->lock);
        if (error != ERR_OK)
            (void)release_slot(forwards, cookie & ((1U << COOKIE_INDEX_BITS) - 1));
        pthread_mutex_unlock(&forwards->lock);
    }
    if (error != ERR_OK)
        count("refused");
    return error;
}

bool forward_would_send(struct forwards *forwards, uint32_t number)
{
    const struct forward_shard *shard = &forwards->shards[number];
    pthread_mutex_lock(&forwards->lock);
    bool would = has_room(forwards, shard) && !is_frozen(shard) &&
                 shard->nobody_until <= engine_clock_us(forwards->engine);
    pthread_mutex_unlock(&forwards->lock);
    return would;
}

/* Nobody else touches the item's arena while it is under way. */
void forward_called(struct forwards *forwards, const struct bus_delivery *delivery)
{
    uint32_t index = delivery->cookie & ((1U << COOKIE_INDEX_BITS) - 1);
    pthread_mutex_lock(&forwards->lock);
    struct forward *forward = index < forwards->most ? &forwards->slots[index] : NULL;
    if (forward != NULL && forward->item != NULL && !forward->answered &&
        forward->number == delivery->cookie >> COOKIE_INDEX_BITS) {
        forward->answered = true;
        forward->error = delivery->error;
        forward->text = arena_copy(&forward->item->arena, delivery->message.body);
        forwards->answered[forwards->answered_end++ % forwards->most] = (uint16_t)index;
    }
    pthread_mutex_unlock(&forwards->lock);
}

/* An answer that proves nothing tells nothing: what was asked for may have been done. */
static bool is_proven(const struct forwards *forwards, const struct forward *forward)
{
    struct str nonce = {0};
    return proof_open(&forwards->engine->key, PROOF_ANSWER, forward->shard, forward->text, &nonce) &&
           str_equal(nonce, str_from(forward->nonce));
}

/* With the lock held: what the end of one says about its shard's owner. */
static void learn(struct forwards *forwards, const struct forward *forward)
{
    struct forward_shard *shard = &forwards->shards[forward->shard];
    bool was = is_frozen(shard);
    shard->silent = forward->error == ERR_TIMEOUT ? shard->silent + 1 : 0;
    if (forward->error == ERR_UNAVAILABLE)
        shard->nobody_until = engine_clock_us(forwards->engine) + nobody_us;
    if (was != is_frozen(shard))
        log_warn(was ? "owner_answers_again" : "owner_does_not_answer", "shard=%" PRIu32, forward->shard);
    count(forward->error == ERR_OK            ? "ok"
          : forward->error == ERR_UNAVAILABLE ? "nobody"
          : forward->error == ERR_TIMEOUT     ? "silent"
                                              : "unproven");
}

bool forward_take(struct forwards *forwards, struct forward_end *end)
{
    pthread_mutex_lock(&forwards->lock);
    bool found = forwards->answered_first < forwards->answered_end;
    if (found) {
        uint32_t index = forwards->answered[forwards->answered_first++ % forwards->most];
        struct forward *forward = &forwards->slots[index];
        if (forward->error == ERR_OK && !is_proven(forwards, forward))
            forward->error = ERR_INVALID;
        learn(forwards, forward);
        *end = (struct forward_end){.error = forward->error, .text = forward->text};
        end->item = release_slot(forwards, index);
    }
    pthread_mutex_unlock(&forwards->lock);
    return found;
}

struct inbox_item *forward_give_up(struct forwards *forwards)
{
    struct inbox_item *item = NULL;
    pthread_mutex_lock(&forwards->lock);
    forwards->answered_first = forwards->answered_end;
    for (uint32_t i = 0; i < forwards->most && item == NULL; i++)
        if (forwards->slots[i].item != NULL)
            item = release_slot(forwards, i);
    pthread_mutex_unlock(&forwards->lock);
    return item;
}

uint32_t forward_count(struct forwards *forwards)
{
    pthread_mutex_lock(&forwards->lock);
    uint32_t under_way = forwards->most - forwards->free_count;
    pthread_mutex_unlock(&forwards->lock);
    return under_way;
}
