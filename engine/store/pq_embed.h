/* What pq_embed.cmake makes of the .sql files: each file's name and text. Constant. */
#pragma once
#include <stdint.h>

struct pq_embed_file {
    const char *name; /* without folder and .sql */
    const char *text; /* NUL-terminated */
};
extern const struct pq_embed_file pq_embed_queries[];
extern const uint32_t pq_embed_query_count;
extern const struct pq_embed_file pq_embed_migrations[]; /* in the order of their names */
extern const uint32_t pq_embed_migration_count;
