/* For printf("%.*s"), as STR_ARG, but for texts that always have bytes to point at: names, the plan's texts,
 * what came through work_begin. Saves the branch for NULL that no test could take. */
#pragma once

#define WORDS(text) (int)(text).size, (text).data
