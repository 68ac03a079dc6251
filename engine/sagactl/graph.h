/* sagactl graph: the flow of a definition as Mermaid, DOT or SVG; with --saga, as far as that saga has come.
 */
#pragma once
#include "engine/sagactl/invocation.h"

int graph_run(struct invocation *invocation);
