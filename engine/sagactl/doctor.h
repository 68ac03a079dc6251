/* sagactl doctor: liveness rule L2 as one query on the database. Reads only. */
#pragma once
#include "engine/sagactl/invocation.h"

int doctor_run(struct invocation *invocation);
