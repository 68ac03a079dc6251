/* That a message was made by an engine of this database.
 *
 * NATS tells nobody who has sent a message, and rights are easily given too wide. So whatever gives power
 * over sagas of others bears a code (HMAC-SHA256) that only engines can make, whose key stands in PostgreSQL,
 * where neither participants nor starters read: requests between engines and their answers
 * (saga.ctl.<shard>), commands to child sagas (saga.child.<definition>), and what children tell their parents
 * (saga.reply.<shard>.sagad). The code covers what the message is for, the shard, and each byte that is acted
 * upon. It does not say when: whoever may read engines' subjects could send a message again. In a stream that
 * is what NATS does, too, and changes nothing (a command names its attempt, a child its parent's step); an
 * answer bears the number of its request; a request could be repeated, so nobody but engines may subscribe to
 * saga.ctl.>. Any thread. */
#pragma once
#include "engine/base/hmac.h"
#include "engine/base/rng.h"
#include "engine/bus/bus.h"
#include "engine/store/store.h"

struct proof_key {
    unsigned char bytes[HMAC_KEY_BYTES];
};
enum proof_purpose { PROOF_ASK, PROOF_ANSWER };
enum { PROOF_NONCE_SIZE = 32 };

/* The key of this database. ERR_INVALID: it has another size; else errors as store_engine_key. */
enum err proof_load(struct proof_key *key, struct store *store, struct err_note *note);
/* A number that is not given a second time. */
void proof_nonce(struct rng *rng, char text[PROOF_NONCE_SIZE + 1]);
/* The text of a JSON object that has members, with two more: "nonce", PROOF_NONCE_SIZE characters that need
 * no escape, and "proof". Who knows nothing of them reads the same object. */
struct str proof_seal(const struct proof_key *key, enum proof_purpose purpose, uint32_t shard,
                      struct str nonce, struct str object, struct arena *arena);
/* False: the text was not sealed with this key for this purpose and shard. The nonce borrows from text. */
bool proof_open(const struct proof_key *key, enum proof_purpose purpose, uint32_t shard, struct str text,
                struct str *nonce);
/* Adds the header Saga-Proof, whose value is put into `text`. */
void proof_stamp(const struct proof_key *key, struct bus_message *message, char text[HMAC_TEXT_SIZE + 1]);
bool proof_holds(const struct proof_key *key, const struct bus_message *message);
