/* Barrier participants for the integration tests, in one process that tests may kill -9 and start again.
 *
 * usage: integration_shop NATS_URL DIR NAME…; prints "ready"; ends with SIGTERM
 *
 * Each participant keeps DIR/NAME.log, written before anybody is told, never rewritten: one JSON object a
 * line. It is the participant's database (read again at the start: what stands in it happened), and the
 * source that the checker believes. Lines: born (the process started), recv (a command came), over (it was
 * dealt with), effect (do or undo had its one effect), closed (a do will never have one any more), reply
 * (what is about to be published, under which Nats-Msg-Id). */
#include "tests/integration/shop.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "engine/base/arena.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/ops/process.h"
#include "tests/support/participant.h"

enum { SHOPS_MAX = 8, LINE_MAX_BYTES = 2 * LIMITS_PAYLOAD_BYTES };

/* What the barrier knows of a key. */
struct entry {
    bool done;
    bool undone;
    bool closed;
    char key[128];
};

struct shop {
    const char *name;
    const char *other; /* whose name it takes for a foreign answer */
    struct participant *participant;
    pthread_mutex_t mutex; /* the log and the barrier */
    int log;
    struct map entries;
    uint64_t replies;
};

static struct entry *entry_of(struct shop *shop, struct str key)
{
    struct entry *entry = map_get(&shop->entries, key);
    if (entry != NULL)
        return entry;
    entry = memory_new(1, sizeof *entry);
    check(key.size < sizeof entry->key);
    memcpy(entry->key, key.data, key.size);
    map_set(&shop->entries, (struct str){entry->key, key.size}, entry);
    return entry;
}

static void put(struct buf *line, const char *name, struct str value)
{
    buf_printf(line, ",\"%s\":", name);
    json_write_string(line, value);
}

/* With the mutex held: one write, so that a kill leaves a whole line or none. */
static void note(struct shop *shop, const char *what, const struct participant_command *command,
                 const char *extra_name, struct str extra)
{
    struct arena arena;
    struct buf line;
    arena_init(&arena, 0);
    buf_init(&line, &arena);
    buf_printf(&line, "{\"at\":%" PRId64 ",\"what\":\"%s\"", clock_real_us(), what);
    put(&line, "command", command->id);
    put(&line, "key", command->key);
    put(&line, "kind", command->kind);
    put(&line, "action", command->action);
    buf_printf(&line, ",\"attempt\":%u,\"delivery\":%" PRIu64, command->attempt, command->delivery_count);
    if (extra_name != NULL)
        put(&line, extra_name, extra);
    buf_puts(&line, "}\n");
    struct str text = buf_str(&line);
    check(write(shop->log, text.data, text.size) == (ssize_t)text.size);
    arena_fini(&arena);
}

static void note_alone(struct shop *shop, const char *what, const struct participant_command *command,
                       const char *extra_name, struct str extra)
{
    pthread_mutex_lock(&shop->mutex);
    note(shop, what, command, extra_name, extra);
    pthread_mutex_unlock(&shop->mutex);
}

/* The do's one effect. False when it may not have it any more. */
static bool take_effect(struct shop *shop, const struct participant_command *command)
{
    pthread_mutex_lock(&shop->mutex);
    struct entry *entry = entry_of(shop, command->key);
    bool may = !entry->closed && !entry->undone;
    if (may && !entry->done) {
        entry->done = true;
        note(shop, "effect", command, NULL, (struct str){0});
    }
    pthread_mutex_unlock(&shop->mutex);
    return may;
}

static void take_back(struct shop *shop, const struct participant_command *command)
{
    pthread_mutex_lock(&shop->mutex);
    struct entry *entry = entry_of(shop, command->key);
    if (entry->done && !entry->undone) {
        entry->undone = true;
        note(shop, "effect", command, NULL, (struct str){0});
    } else if (!entry->done && !entry->closed) {
        entry->closed = true;
        note(shop, "closed", command, NULL, (struct str){0});
    }
    pthread_mutex_unlock(&shop->mutex);
}

/* True: it happened. False: it did not and never will. */
static bool happened(struct shop *shop, const struct participant_command *command)
{
    pthread_mutex_lock(&shop->mutex);
    struct entry *entry = entry_of(shop, command->key);
    bool yes = entry->done && !entry->undone;
    if (!entry->done && !entry->closed) {
        entry->closed = true;
        note(shop, "closed", command, NULL, (struct str){0});
    }
    pthread_mutex_unlock(&shop->mutex);
    return yes;
}

/* `status` as it stands in the log: a real one, or what kind of nonsense it is. */
static void reply_as(struct shop *shop, const struct participant_command *command, const char *noted,
                     struct participant_reply reply)
{
    char id[96];
    struct arena arena;
    arena_init(&arena, 0);
    pthread_mutex_lock(&shop->mutex);
    snprintf(id, sizeof id, "%s-%" PRId64 "-%" PRIu64, shop->name, clock_real_us(), ++shop->replies);
    struct str extra = arena_printf(&arena, "%s %s", noted, id);
    note(shop, "reply", command, "reply", extra);
    pthread_mutex_unlock(&shop->mutex);
    reply.id = str_from(id);
    (void)!participant_reply(shop->participant, command,
                             &reply); /* lost: the attempt's time limit finds it */
    arena_fini(&arena);
}

static void say_ok(struct shop *shop, const struct participant_command *command)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str body = arena_printf(&arena, "{\"ref\":\"%.*s\"}", STR_ARG(command->key));
    reply_as(shop, command, "ok", (struct participant_reply){.body = body});
    arena_fini(&arena);
}

static void say_rejected(struct shop *shop, const struct participant_command *command, struct str code)
{
    reply_as(shop, command, "rejected",
             (struct participant_reply){
                 .status = STR("rejected"), .error_code = code, .error_message = STR("as asked")});
}

static void say_garbage(struct shop *shop, const struct participant_command *command)
{
    struct participant_command nameless = *command;
    nameless.id = (struct str){0};
    if (str_equal(command->kind, STR("do"))) /* the body of no other answer is read: it would be a success */
        reply_as(shop, command, "garbage", (struct participant_reply){.body = STR("{\"ref\":")});
    reply_as(shop, command, "garbage",
             (struct participant_reply){.status = STR("perhaps"), .body = STR("{}")});
    reply_as(shop, &nameless, "garbage", (struct participant_reply){.body = STR("{}")});
}

/* Answers for another's command: on the other's subject. */
static void say_foreign(struct shop *shop, const struct participant_command *command)
{
    struct arena arena;
    struct participant_command foreign = *command;
    arena_init(&arena, 0);
    size_t dot = 0;
    for (size_t i = 0; i < command->reply_to.size; i++)
        if (command->reply_to.data[i] == '.')
            dot = i;
    struct str stem = str_slice(command->reply_to, 0, dot + 1);
    foreign.reply_to = arena_printf(&arena, "%.*s%s", STR_ARG(stem), shop->other);
    reply_as(shop, &foreign, "foreign", (struct participant_reply){.body = STR("{\"ref\":\"forged\"}")});
    arena_fini(&arena);
}

/* Has the effect, as far as it may, and says so. */
static void act(struct shop *shop, const struct participant_command *command)
{
    if (str_equal(command->kind, STR("undo"))) {
        take_back(shop, command);
        say_ok(shop, command);
    } else if (take_effect(shop, command)) {
        say_ok(shop, command);
    } else {
        say_rejected(shop, command, STR("UNDONE"));
    }
}

static enum shop_how how_of(const struct participant_command *command)
{
    struct arena arena;
    const struct json *body = NULL;
    struct err_note unread;
    arena_init(&arena, 0);
    enum shop_how how = SHOP_OK;
    if (json_parse(&arena, command->body, SIZE_MAX, &body, &unread) == ERR_OK)
        how = shop_how_parse(json_get_str(body, STR("how")));
    arena_fini(&arena);
    return how;
}

static void effect_of(struct shop *shop, const struct participant_command *command)
{
    if (str_equal(command->kind, STR("undo")))
        take_back(shop, command);
    else
        (void)take_effect(shop, command);
}

/* The ways that need no second thought about which delivery this is. */
static enum participant_outcome misbehave(struct shop *shop, const struct participant_command *command,
                                          enum shop_how how)
{
    if (how == SHOP_MUTE || how == SHOP_LATE)
        return PARTICIPANT_DONE;
    if (how == SHOP_LOST || how == SHOP_REJECT_OK)
        effect_of(shop, command);
    if (how == SHOP_LOST)
        return PARTICIPANT_DONE;
    if (how == SHOP_REJECT || how == SHOP_REJECT_OK)
        say_rejected(shop, command, STR("NO"));
    if (how == SHOP_GARBAGE)
        say_garbage(shop, command);
    if (how == SHOP_FOREIGN)
        say_foreign(shop, command);
    if (how != SHOP_REJECT)
        act(shop, command);
    if (how == SHOP_TWICE)
        say_ok(shop, command);
    if (how == SHOP_OK_REJECT)
        say_rejected(shop, command, STR("NO"));
    return PARTICIPANT_DONE;
}

static enum participant_outcome behave(struct shop *shop, const struct participant_command *command,
                                       enum shop_how how)
{
    bool first = command->attempt == 1 && command->delivery_count == 1;
    if (how == SHOP_RETRY && command->attempt <= SHOP_RETRY_ATTEMPTS) {
        reply_as(shop, command, "retry", (struct participant_reply){.status = STR("retry")});
        return PARTICIPANT_DONE;
    }
    if (how == SHOP_STUBBORN && command->attempt <= SHOP_STUBBORN_ATTEMPTS) {
        say_rejected(shop, command, STR("NOT_YET"));
        return PARTICIPANT_DONE;
    }
    if (first && how == SHOP_DIE_BEFORE)
        return PARTICIPANT_DONE;
    if (first && how == SHOP_DIE_AFTER) {
        effect_of(shop, command);
        return PARTICIPANT_DONE;
    }
    if (first && how == SHOP_PENDING)
        reply_as(shop, command, "pending", (struct participant_reply){.status = STR("pending")});
    if (first && how == SHOP_PENDING)
        process_pause(SHOP_SLOW_MS / 2);
    if (first && how == SHOP_SLOW)
        process_pause(SHOP_SLOW_MS);
    if (first && how == SHOP_LATE) {
        process_pause(SHOP_LATE_MS);
        act(shop, command);
        return PARTICIPANT_DONE;
    }
    return misbehave(shop, command, how);
}

static enum participant_outcome work(struct shop *shop, const struct participant_command *command)
{
    if (str_equal(command->kind, STR("verify"))) {
        if (happened(shop, command))
            say_ok(shop, command);
        else
            say_rejected(shop, command, STR("NOT_DONE"));
        return PARTICIPANT_DONE;
    }
    return behave(shop, command, how_of(command));
}

static enum participant_outcome handle(void *context, struct participant *participant,
                                       const struct participant_command *command)
{
    struct shop *shop = context;
    shop->participant = participant; /* the first command may come before participant_open has returned */
    note_alone(shop, "recv", command, "body", command->body);
    enum participant_outcome outcome = work(shop, command);
    note_alone(shop, "over", command, NULL, (struct str){0});
    return outcome;
}

static void remember(struct shop *shop, struct str line)
{
    struct arena arena;
    const struct json *entry = NULL;
    struct err_note unread;
    arena_init(&arena, 0);
    enum err error = json_parse(&arena, line, LINE_MAX_BYTES, &entry, &unread);
    check(error == ERR_OK);
    struct str what = json_get_str(entry, STR("what"));
    struct entry *known = entry_of(shop, json_get_str(entry, STR("key")));
    if (str_equal(what, STR("closed")))
        known->closed = true;
    if (str_equal(what, STR("effect")) && str_equal(json_get_str(entry, STR("kind")), STR("undo")))
        known->undone = true;
    else if (str_equal(what, STR("effect")))
        known->done = true;
    arena_fini(&arena);
}

static void read_log(struct shop *shop, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    char *line = memory_new(LINE_MAX_BYTES, 1);
    while (fgets(line, LINE_MAX_BYTES, file) != NULL)
        remember(shop, str_trim(str_from(line)));
    memory_free(line);
    fclose(file);
}

static bool shop_open(struct shop *shop, const char *url, const char *dir)
{
    char path[PROCESS_PATH_SIZE];
    struct err_note why = {""};
    snprintf(path, sizeof path, "%s/%s.log", dir, shop->name);
    map_init(&shop->entries);
    pthread_mutex_init(&shop->mutex, NULL);
    read_log(shop, path);
    shop->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    check(shop->log >= 0);
    struct participant_options options = {.url = url,
                                          .user = shop->name,
                                          .password = shop->name,
                                          .name = shop->name,
                                          .threads = SHOP_THREADS,
                                          .handle = handle,
                                          .context = shop};
    struct participant *opened = NULL;
    note_alone(shop, "born", &(struct participant_command){0}, NULL, (struct str){0});
    if (participant_open(&options, &opened, &why) == ERR_OK) {
        shop->participant = opened;
        return true;
    }
    fprintf(stderr, "integration_shop: %s\n", why.text);
    return false;
}

static void shop_close(struct shop *shop)
{
    participant_close(shop->participant);
    close(shop->log);
    size_t cursor = 0;
    for (struct entry *entry = map_next(&shop->entries, &cursor); entry != NULL;
         entry = map_next(&shop->entries, &cursor)) {
        map_remove(&shop->entries, str_from(entry->key));
        memory_free(entry);
    }
    map_fini(&shop->entries);
    pthread_mutex_destroy(&shop->mutex);
}

int main(int argc, char **argv)
{
    static struct shop shops[SHOPS_MAX];
    int count = argc - 3;
    int signal_number = 0;
    sigset_t set;
    if (count < 1 || count > SHOPS_MAX) {
        fprintf(stderr, "usage: integration_shop NATS_URL DIR NAME…\n");
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < count; i++) {
        shops[i].name = argv[3 + i];
        shops[i].other = argv[3 + (i + 1) % count];
        if (!shop_open(&shops[i], argv[1], argv[2]))
            return 1;
    }
    printf("ready\n");
    fflush(stdout);
    sigwait(&set, &signal_number);
    for (int i = 0; i < count; i++)
        shop_close(&shops[i]);
    return 0;
}
