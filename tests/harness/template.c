/* Makes a PostgreSQL cluster for the tests to copy: harness_template FOLDER. The folder must exist; on
 * success FOLDER/data is a cluster that was stopped in order. */
#include <stdio.h>
#include "engine/ops/servers.h"

int main(int argc, char **argv)
{
    struct servers_postgres server;
    struct err_note note = {""};
    if (argc != 2) {
        (void)fputs("usage: harness_template FOLDER\n", stderr);
        return 2;
    }
    enum err err = servers_init_postgres(&server, argv[1], &note);
    server.unsafe = true;
    err = err == ERR_OK ? servers_start_postgres(&server, &note) : err;
    err = err == ERR_OK ? servers_stop_postgres(&server, &note) : err;
    if (err != ERR_OK)
        (void)fprintf(stderr, "harness_template: %s: %s\n", err_text(err), note.text);
    return err == ERR_OK ? 0 : 1;
}
