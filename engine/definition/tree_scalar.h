/* What a scalar written without quotes is, by YAML 1.2's core schema. Inside engine/definition only. */
#pragma once
#include "engine/definition/tree.h"

/* null, Null, NULL, ~ or nothing. */
bool tree_scalar_is_null(struct str text);
/* Sets node's kind from node->text. A number that JSON could not hold as it is written is reported, and the
 * node becomes TREE_BROKEN: its text is a promise (LANGUAGE: numbers keep their text). */
void tree_scalar_resolve(struct tree *node, struct diag_list *diags);
/* A JSON number's grammar. */
bool tree_scalar_is_json_number(struct str text);
