/* The settings of sagad, all from one table (config.def): defaults, then the YAML file, then the environment
 * (SAGAD_<NAME>), then the command line; the later wins. All mistakes are collected and shown together. One
 * thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/limits.h"

struct config {
#define TEXT(name, default, secret, doc) const char *name;
#define COUNT(name, default, min, max, doc) uint32_t name;
#define DURATION(name, default, min, max, doc) int64_t name##_us;
#define FLAG(name, default, doc) bool name;
#define CHOICE(name, default, choices, doc) unsigned name;
#include "engine/ops/config.def"
};

/* The defaults. Texts borrow from the program or from the arenas of the calls below, which must outlive the
 * config. */
void config_init(struct config *config);
/* Reads a YAML file: a mapping of settings. False when there are mistakes, which are appended to `mistakes`
 * as shown in diag.h. */
bool config_read_file(struct config *config, struct arena *arena, const char *path, struct buf *mistakes);
/* Takes SAGAD_<NAME> out of an environment (as environ). Names that are none, but nearly one, are mistakes;
 * others are left alone, because orchestrators put variables like SAGAD_PORT there. */
bool config_read_environment(struct config *config, struct arena *arena, char *const *environment,
                             struct buf *mistakes);
/* One setting, as from the command line. `source` names where it came from in the mistake: "--database". */
bool config_set(struct config *config, struct arena *arena, const char *name, const char *value,
                const char *source, struct buf *mistakes);
/* What only shows when all are known: address on loopback, credentials that go together; fills in the
 * instance's name. */
bool config_finish(struct config *config, struct arena *arena, struct buf *mistakes);
/* The manual: each setting with default, bounds and sentence, as commented YAML that may be used as a file.
 */
void config_help(struct buf *out);
/* The values in use as YAML; secrets that are set show as "(hidden)". */
void config_print(const struct config *config, struct buf *out);
