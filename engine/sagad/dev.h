/* `sagad dev`: everything on one machine for trying, developing and demonstrating: a private PostgreSQL and a
 * private nats-server below --data, migrated, with the service in front. Survives kill -9 of any part: what
 * --data holds is found again at the next start. */
#pragma once
#include "engine/base/err.h"
#include "engine/ops/config.h"

/* Runs until a signal ends it. database and nats of the config are replaced by the private servers'. Prints
 * one line on stdout once all answer: ready http=URL nats=URL postgres=URL. DATA/env then says the same to a
 * shell. ERR_LIMIT, ERR_IO: the folder cannot be used; else errors as servers_start_postgres, and as the
 * service opens. */
enum err dev_run(struct config *config, const char *data_folder, uint32_t shards, struct err_note *note);
