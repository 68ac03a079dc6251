/* The demo participants: inventory, payments, shipping. One program, one process for each.
 *
 * Happy path: make the database, connect to NATS, say "ready", work until SIGTERM. Servers that do not answer
 * are waited for. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "deploy/participants/database.h"
#include "deploy/participants/serve.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/mask.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, PATIENCE_S = 30, ANSWERS_MAX = 64 };

static const char help_text[] =
    "participant: a demo participant of sagas\n"
    "\n"
    "  participant NAME [--nats URL] [--database URL] [--workers N]\n"
    "      Works as inventory, payments or shipping, in a database of that name on the given server, made "
    "when missing.\n"
    "      Prints \"ready …\" once it can, then a line for each command. SIGTERM ends it.\n"
    "\n"
    "  participant stand-in NAME [--answer ACTION=JSON]… [--nats URL] [--database URL] [--workers N]\n"
    "      Stands in for a service that you do not have at hand: answers every command ok, with that JSON or "
    "with {},\n"
    "      idempotent as the others are, and can be told to misbehave.\n"
    "  participant behave NAME --do BEHAVIOUR [--action ACTION] [--order ORDER] [--times N] [--delay "
    "DURATION]\n"
    "              [--code CODE] [--message TEXT] [--database URL]\n"
    "      Adds a rule: the next N commands (default 1) with that action and \"order\" (default any) behave "
    "so.\n"
    "  participant behave NAME --clear [--database URL]\n"
    "      Removes all rules.\n"
    "\n"
    "  --nats URL        default $SAGAD_NATS, or nats://127.0.0.1:4222\n"
    "  --database URL    any database of the PostgreSQL server (default $SAGAD_DATABASE, or "
    "postgresql:///postgres)\n"
    "  --workers N       commands worked on at a time (default 4)\n"
    "  --delay DURATION  as 500ms or 3s; after 30s the broker hands the command to another worker\n"
    "\n"
    "Exit codes: 0 ended in order, 1 failed (the reason is on stderr), 2 wrong usage, 70 told to die.\n"
    "\n";

struct arguments {
    struct arena arena;
    const char *name;
    const char *nats;
    const char *database;
    int64_t workers;
    bool behave;
    bool stand_in; /* or a behaviour of one */
    bool clear;
    struct serve_answer answers[ANSWERS_MAX];
    uint32_t answer_count;
    const char *what;
    const char *action;
    const char *order;
    const char *times;
    const char *delay;
    const char *code;
    const char *message;
};

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "participant: %s%s; see participant --help\n", what, which);
    return EXIT_USAGE;
}

static const char **option(struct arguments *arguments, const char *name)
{
    struct {
        const char *name;
        const char **place;
    } options[] = {
        {"--nats", &arguments->nats},       {"--database", &arguments->database},
        {"--do", &arguments->what},         {"--action", &arguments->action},
        {"--order", &arguments->order},     {"--times", &arguments->times},
        {"--delay", &arguments->delay},     {"--code", &arguments->code},
        {"--message", &arguments->message},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].place;
    return NULL;
}

/* Others on the machine may list the command line: a password is kept here and overwritten there. */
static const char *hide(struct arguments *arguments, const char *option, char *value)
{
    if (!mask_is_needed(value))
        return value;
    const char *kept = arena_copy(&arguments->arena, str_from(value)).data;
    mask_argument(value);
    fprintf(stderr,
            "participant: warning: others on this machine can read a password on the command line: use "
            "%s instead of %s\n",
            strcmp(option, "--nats") == 0 ? "SAGAD_NATS" : "SAGAD_DATABASE", option);
    return kept;
}

/* ACTION=JSON */
static int add_answer(struct arguments *arguments, const char *text)
{
    struct str whole = str_from(text);
    size_t equals = str_find(whole, '=');
    struct serve_answer answer = {str_slice(whole, 0, equals), str_slice(whole, equals + 1, whole.size)};
    const struct json *value = NULL;
    struct err_note note = {""};
    struct arena arena;
    arena_init(&arena, 0);
    bool fine = actions_is_name(answer.action) && arguments->answer_count < ANSWERS_MAX &&
                json_parse(&arena, answer.body, LIMITS_PAYLOAD_BYTES, &value, &note) == ERR_OK;
    arena_fini(&arena);
    if (!fine)
        return usage("--answer takes ACTION=JSON, such as book='{\"booking\": \"b-1\"}', not ", text);
    arguments->answers[arguments->answer_count++] = answer;
    return EXIT_FINE;
}

/* Which participant, and what is to be done with it; the index of the first option in *next. */
static int parse_name(struct arguments *arguments, int argc, char **argv, int *next)
{
    arguments->behave = argc > 1 && strcmp(argv[1], "behave") == 0;
    arguments->stand_in = argc > 1 && strcmp(argv[1], "stand-in") == 0;
    int first = arguments->behave || arguments->stand_in ? 2 : 1;
    if (first >= argc)
        return usage("say which participant: inventory, payments or shipping, or stand-in NAME", "");
    arguments->name = argv[first];
    bool known = actions_schema(arguments->name) != NULL;
    if (arguments->stand_in && (known || !actions_is_name(str_from(arguments->name))))
        return usage("a stand-in cannot be called ", arguments->name);
    if (arguments->behave && !known && actions_is_name(str_from(arguments->name)))
        arguments->stand_in = true;
    else if (!known && !arguments->stand_in)
        return usage("there is no participant ", arguments->name);
    *next = first + 1;
    return EXIT_FINE;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    int next = 0;
    int code = parse_name(arguments, argc, argv, &next);
    for (int i = next; i < argc && code == EXIT_FINE; i++) {
        const char **place = option(arguments, argv[i]);
        if (strcmp(argv[i], "--clear") == 0) {
            arguments->clear = true;
            continue;
        }
        if (i + 1 == argc)
            return usage("no option, or one that needs a value: ", argv[i]);
        if (strcmp(argv[i], "--answer") == 0) {
            code = add_answer(arguments, argv[++i]);
        } else if (strcmp(argv[i], "--workers") == 0) {
            if (!str_to_i64(str_from(argv[++i]), &arguments->workers) || arguments->workers < 1 ||
                arguments->workers > SERVE_THREADS_MAX)
                return usage("--workers takes a number from 1 to 64", "");
        } else if (place != NULL) {
            bool address = place == &arguments->nats || place == &arguments->database;
            *place = address ? hide(arguments, argv[i], argv[i + 1]) : argv[i + 1];
            i++;
        } else {
            return usage("there is no option ", argv[i]);
        }
    }
    return code;
}

static int fail(const struct err_note *note)
{
    fprintf(stderr, "participant: %s\n", note->text);
    return EXIT_FAILED;
}

/* --- behave
 * -----------------------------------------------------------------------------------------------------------------------
 */

static int add_rule(struct database *database, const struct arguments *arguments, int64_t delay_ms)
{
    char delay[24];
    PGresult *result = NULL;
    struct err_note note = {""};
    snprintf(delay, sizeof delay, "%lld", (long long)delay_ms);
    const char *const values[] = {
        arguments->action, arguments->order,  arguments->what, arguments->times, delay,
        arguments->code,   arguments->message};
    enum err error =
        database_query(database,
                       "INSERT INTO behaviour (action, order_id, what, times, delay_ms, code, message) "
                       "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                       7, values, &result, &note);
    PQclear(result);
    return error == ERR_OK ? EXIT_FINE : fail(&note);
}

static int clear_rules(struct database *database)
{
    PGresult *result = NULL;
    struct err_note note = {""};
    enum err error = database_query(database, "DELETE FROM behaviour", 0, NULL, &result, &note);
    PQclear(result);
    return error == ERR_OK ? EXIT_FINE : fail(&note);
}

static int behave(const struct arguments *arguments)
{
    struct database database;
    struct err_note note = {""};
    enum actions_behaviour known;
    int64_t delay_us = 0, times = 0;
    if (!arguments->clear &&
        (arguments->what == NULL || !actions_behaviour(str_from(arguments->what), &known)))
        return usage("--do takes one of the behaviours of --help, not ",
                     arguments->what == NULL ? "nothing" : arguments->what);
    if (arguments->delay != NULL && !duration_parse(str_from(arguments->delay), &delay_us))
        return usage("--delay takes a duration like 500ms or 3s, not ", arguments->delay);
    if (!str_to_i64(str_from(arguments->times), &times) || times < 1)
        return usage("--times takes a number from 1, not ", arguments->times);
    if (arguments->action != NULL && !arguments->stand_in &&
        actions_find(arguments->name, str_from(arguments->action)) == NULL)
        return usage("this participant has no action ", arguments->action);
    /* A stand-in makes its database itself: a name typed wrong must not make another. */
    if ((!arguments->stand_in &&
         database_make(arguments->database, actions_schema(arguments->name), &note) != ERR_OK) ||
        database_open(&database, arguments->database, arguments->name, &note) != ERR_OK)
        return fail(&note);
    int code = arguments->clear ? clear_rules(&database) : add_rule(&database, arguments, delay_us / 1000);
    database_close(&database);
    return code;
}

/* --- work
 * -------------------------------------------------------------------------------------------------------------------------
 */

/* Both servers may be starting just now. */
static enum err open_patiently(const struct serve_options *options, struct serve **serve,
                               struct err_note *note)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_S * DURATION_SECOND_US;
    enum err error = serve_open(options, serve, note);
    while (error != ERR_OK && clock_monotonic_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
        error = serve_open(options, serve, note);
    }
    return error;
}

static void wait_for_signal(const sigset_t *signals)
{
    int received = 0;
    printf("stopping on signal %d\n", sigwait(signals, &received) == 0 ? received : 0);
    fflush(stdout);
}

static int work(const struct arguments *arguments)
{
    struct serve *serve = NULL;
    struct err_note note = {""};
    struct serve_options options = {.name = arguments->name,
                                    .nats = arguments->nats,
                                    .database = arguments->database,
                                    .threads = (uint32_t)arguments->workers,
                                    .stand_in = arguments->stand_in,
                                    .answers = arguments->answers,
                                    .answer_count = arguments->answer_count};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    check(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0); /* all threads inherit it: only we take them */
    signal(SIGPIPE, SIG_IGN);
    if (open_patiently(&options, &serve, &note) != ERR_OK)
        return fail(&note);
    printf("ready participant=%s\n", arguments->name);
    fflush(stdout);
    wait_for_signal(&signals);
    serve_close(serve);
    return EXIT_FINE;
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.nats = setting("SAGAD_NATS", "nats://127.0.0.1:4222"),
                                  .database = setting("SAGAD_DATABASE", "postgresql:///postgres"),
                                  .workers = 4,
                                  .times = "1"};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s", help_text);
            actions_help(stdout);
            return EXIT_FINE;
        }
    arena_init(&arguments.arena, 0);
    int code = parse(&arguments, argc, argv);
    if (code == EXIT_FINE)
        code = arguments.behave ? behave(&arguments) : work(&arguments);
    arena_fini(&arguments.arena);
    return code;
}
