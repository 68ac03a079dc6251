/* A participant without a business: every command succeeds at once, those of the action "refuse" are
 * rejected.
 *
 * usage: bench_participant NATS_URL NAME; ends with SIGTERM */
#include <signal.h>
#include <stdio.h>
#include "tests/support/participant.h"

static enum participant_outcome handle(void *context, struct participant *participant,
                                       const struct participant_command *command)
{
    (void)context;
    enum err error = str_equal(command->action, STR("refuse"))
                         ? participant_reject(participant, command, STR("NO"), STR("as asked"))
                         : participant_ok(participant, command, STR("{\"ok\":true}"));
    return error == ERR_OK ? PARTICIPANT_DONE : PARTICIPANT_LATER;
}

int main(int argc, char **argv)
{
    struct participant *participant = NULL;
    struct err_note note = {""};
    sigset_t set;
    int signal_number = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_participant NATS_URL NAME\n");
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct participant_options options = {
        .url = argv[1], .name = argv[2], .window = PARTICIPANT_WINDOW_MAX, .handle = handle};
    if (participant_open(&options, &participant, &note) != ERR_OK) {
        fprintf(stderr, "bench_participant: %s\n", note.text);
        return 1;
    }
    sigwait(&set, &signal_number);
    participant_close(participant);
    return 0;
}
