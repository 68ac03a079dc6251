/* The seam of PostgreSQL, not of NATS. */
#pragma once
#include <libpq-fe.h>
#include <nats/nats.h>
