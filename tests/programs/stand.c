/* Runs sagad and sagactl as processes and reads what they print. */
#include "tests/programs/stand.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "engine/base/buf.h"

enum { ARGUMENTS_MAX = 32 };

static void give_up(const char *what, const char *which)
{
    fprintf(stderr, "stand: %s: %s\n", what, which);
    abort();
}

static const char *path_of(struct stand *stand, const char *name)
{
    return name[0] == '/' ? name : arena_printf(&stand->arena, "%s/%s", stand->dir, name).data;
}

void stand_open(struct stand *stand)
{
    *stand = (struct stand){.definitions = SAGA_SOURCE_DIR "/tests/programs/definitions"};
    arena_init(&stand->arena, 0);
    snprintf(stand->dir, sizeof stand->dir, "/tmp/saga-stand-XXXXXX");
    if (mkdtemp(stand->dir) == NULL || chmod(stand->dir, 0755) != 0)
        give_up("cannot make the folder", stand->dir);
}

void stand_close(struct stand *stand)
{
    struct err_note note = {""};
    if (stand->participant != NULL)
        participant_close(stand->participant);
    if (process_running(&stand->dev.process, NULL) && stand_dev_stop(stand) != 0)
        give_up("sagad dev did not end in order", stand->dir);
    if (process_remove_tree(stand->dir, &note) != ERR_OK)
        give_up("cannot remove the folder", note.text);
    arena_fini(&stand->arena);
}

struct str stand_read(struct stand *stand, const char *name)
{
    struct buf out;
    char chunk[4096];
    size_t size = 0;
    FILE *file = fopen(path_of(stand, name), "rb");
    buf_init(&out, &stand->arena);
    while (file != NULL && (size = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_put(&out, (struct str){chunk, size});
    if (file != NULL)
        fclose(file);
    return buf_str(&out);
}

void stand_write(struct stand *stand, const char *name, struct str text)
{
    FILE *file = fopen(path_of(stand, name), "wb");
    if (file == NULL || fwrite(text.data, 1, text.size, file) != text.size || fclose(file) != 0)
        give_up("cannot write", name);
}

/* Cuts the line into arguments in place. */
static void split(char *line, const char *argv[ARGUMENTS_MAX + 1])
{
    size_t count = 0;
    for (char *at = line; *at != '\0' && count < ARGUMENTS_MAX;) {
        char end = *at == '\'' ? '\'' : ' ';
        at += *at == '\'';
        argv[count++] = at;
        char *stop = strchr(at, end);
        if (stop == NULL)
            break;
        *stop = '\0';
        for (at = stop + 1; *at == ' '; at++)
            continue;
    }
    argv[count] = NULL;
}

static const char *binary(const char *name)
{
    if (strcmp(name, "sagad") == 0)
        return SAGA_BINARY_DIR "/engine/sagad/sagad";
    return strcmp(name, "sagactl") == 0 ? SAGA_BINARY_DIR "/engine/sagactl/sagactl" : name;
}

struct stand_result stand_run(struct stand *stand, const char *format, ...)
{
    char line[8192], name[32];
    const char *argv[ARGUMENTS_MAX + 1];
    struct harness_program program;
    int status = 0;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(line, sizeof line, format, arguments) >= (int)sizeof line)
        give_up("too long a line", format);
    va_end(arguments);
    split(line, argv);
    argv[0] = binary(argv[0]);
    snprintf(name, sizeof name, "run-%u", stand->runs++);
    harness_launch(&program, stand->dir, name, argv, NULL);
    if (!process_wait(&program.process, STAND_PATIENCE_MS, &status)) {
        process_kill(&program.process);
        give_up("does not end", format);
    }
    return (struct stand_result){.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                                 .out = stand_read(stand, program.stdout_path),
                                 .err = stand_read(stand, program.process.log)};
}

const struct json *stand_json(struct stand *stand, struct stand_result result)
{
    const struct json *value = NULL;
    struct err_note note = {""};
    return json_parse(&stand->arena, result.out, SIZE_MAX, &value, &note) == ERR_OK ? value : NULL;
}

bool stand_has(struct str text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

bool stand_lives(int pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

void stand_dev(struct stand *stand)
{
    char line[3 * SERVERS_URL_SIZE];
    const char *data = arena_printf(&stand->arena, "%s/data", stand->dir).data;
    const char *argv[] = {
        binary("sagad"),  "dev",         "--data", data, "--definitions", stand->definitions,
        "--http-address", "127.0.0.1:0", NULL};
    harness_launch(&stand->dev, stand->dir, "dev", argv, NULL);
    if (!harness_await_line(&stand->dev, "ready ", line, sizeof line, STAND_PATIENCE_MS) ||
        sscanf(line, "ready http=%799s nats=%799s postgres=%799s", stand->url, stand->nats,
               stand->postgres) != 3)
        give_up("sagad dev is not ready", stand_read(stand, stand->dev.process.log).data);
    setenv("SAGAD_URL", stand->url, 1);
    setenv("SAGAD_DATABASE", stand->postgres, 1);
}

int stand_dev_stop(struct stand *stand)
{
    int status = 0;
    kill(stand->dev.process.pid, SIGTERM);
    if (!process_wait(&stand->dev.process, STAND_PATIENCE_MS, &status))
        give_up("sagad dev does not end", "SIGTERM");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static enum participant_outcome handle(void *context, struct participant *participant,
                                       const struct participant_command *command)
{
    struct arena arena;
    const struct json *body = NULL;
    struct err_note note = {""};
    enum err error = ERR_OK;
    (void)context;
    arena_init(&arena, 0);
    struct str how = json_parse(&arena, command->body, SIZE_MAX, &body, &note) == ERR_OK
                         ? json_get_str(body, STR("how"))
                         : STR("ok");
    if (str_equal(how, STR("reject")))
        error = participant_reject(participant, command, STR("NO"), STR("as told"));
    else if (str_equal(how, STR("human")))
        error = participant_reject(participant, command, STR("NEEDS_HUMAN"), STR("look \x1b[31mhere"));
    else if (str_equal(how, STR("retry")) && command->attempt == 1)
        error = participant_retry(participant, command, 0);
    else if (!str_equal(how, STR("silent")))
        error = participant_ok(participant, command, STR("{\"receipt\":7}"));
    arena_fini(&arena);
    return error == ERR_OK ? PARTICIPANT_DONE : PARTICIPANT_LATER;
}

void stand_participant(struct stand *stand)
{
    struct err_note note = {""};
    struct participant_options options = {.url = stand->nats, .name = "stand", .handle = handle};
    if (participant_open(&options, &stand->participant, &note) != ERR_OK)
        give_up("no participant", note.text);
}
