/* The subcommands that ask the running service. */
#pragma once
#include "engine/base/buf.h"
#include "engine/base/json.h"
#include "engine/sagactl/http.h"
#include "engine/sagactl/invocation.h"

int remote_start(struct invocation *invocation);
int remote_get(struct invocation *invocation);
int remote_list(struct invocation *invocation);
int remote_verb(struct invocation *invocation);
int remote_dead_letters(struct invocation *invocation);
int remote_definitions(struct invocation *invocation);
int remote_definitions_list(struct invocation *invocation);
int remote_definitions_show(struct invocation *invocation);
int remote_definitions_enable(struct invocation *invocation);
int remote_definitions_delete(struct invocation *invocation);
int remote_put(struct invocation *invocation);

/* What these share with other files. Each gives the exit code, after the answer was shown: as it came with
 * --json, else by `show`. */
int remote_print(const struct invocation *invocation, const struct http_answer *answer,
                 void (*show)(const struct invocation *, const struct json *));
int remote_read(struct invocation *invocation, struct str path,
                void (*show)(const struct invocation *, const struct json *));
int remote_post(struct invocation *invocation, struct str path, struct str body,
                void (*show)(const struct invocation *, const struct json *));
/* "/v1/sagas/<first argument>" and what is below it. */
struct str remote_saga(struct invocation *invocation, const char *below);
/* The JSON of an option: a text, @FILE, @- or -. False after a sentence. */
bool remote_json(struct invocation *invocation, const char *option, const char *fallback, struct str *text);
/* Appends ,"name":"value"; nothing when value is NULL. */
void remote_member(struct buf *body, const char *name, const char *value);
/* Begins an operator's body: {"actor":…,"reason":… */
void remote_actor(struct invocation *invocation, struct buf *body);
