/* store_bench [URL [ROWS…]]: how fast batches are stored, in journal rows a second, by rows a commit, and
 * what loading and listing cost on what was written. Without URL in a private server, as durable as any. A
 * saga's life is a start and three replies; each row carries about 300 bytes of data. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/store/postgres.h"
#include "tests/harness/harness.h"

enum { LIFE = 4, SHARDS = 16, ROWS_MAX = 512 };
static const int64_t span_us = 4000000;

static const char data_text[] = "{\"event\":{\"kind\":\"do\",\"participant\":\"payments\",\"body\":{\"id\":"
                                "\"4a6b8f10\",\"amount\":19.90,\"currency\":"
                                "\"EUR\",\"note\":\"0123456789012345678901234567890123456789\"}},\"changes\":"
                                "[{\"change\":\"output\",\"step\":\"charge\"},"
                                "{\"change\":\"send\",\"step\":\"ship\",\"kind\":\"do\",\"attempt\":1,"
                                "\"due\":1700000000000000,\"to\":\"shipping.ship\","
                                "\"body\":{\"order\":\"o-123456\"}}]}";

struct bench {
    struct store *store;
    struct arena arena;
    struct rng rng;
    struct err_note note;
    struct store_shard marks[SHARDS];
    struct store_saga sagas[ROWS_MAX]; /* alive ones, one row each a batch */
    struct store_record records[ROWS_MAX];
    struct id last;
};

static void must(const struct bench *bench, enum err error)
{
    if (error == ERR_OK)
        return;
    fprintf(stderr, "store_bench: %s: %s\n", err_text(error), bench->note.text);
    exit(1);
}

static void advance(struct bench *bench, uint32_t i, int64_t now_us)
{
    struct store_saga *saga = &bench->sagas[i];
    bool ended = saga->seq == LIFE;
    if (saga->seq == 0 || ended)
        *saga = (struct store_saga){
            .id = id_make(now_us, i % SHARDS, &bench->rng),
            .shard = i % SHARDS,
            .definition = STR("order-fulfilment"),
            .version = 3,
            .hash = STR("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            .started_us = now_us,
            .created = true};
    else
        saga->created = false;
    saga->before_seq = saga->seq++;
    saga->status = saga->seq == LIFE ? STR("completed") : STR("running");
    saga->waiting = saga->seq == LIFE ? STR("") : STR("waiting for reply to charge, attempt 1");
    saga->updated_us = now_us;
    saga->ended_us = saga->seq == LIFE ? now_us : 0;
    saga->wake_us = saga->seq == LIFE ? 0 : now_us + 10000000;
    bench->last = saga->id;
    bench->records[i] = (struct store_record){.id = saga->id,
                                              .shard = saga->shard,
                                              .seq = saga->seq,
                                              .at_us = now_us,
                                              .lsn = ++bench->marks[saga->shard].last_lsn,
                                              .kind = STR("reply"),
                                              .step = STR("charge"),
                                              .attempt = 1,
                                              .data = STR(data_text)};
}

static void write_batch(struct bench *bench, uint32_t rows)
{
    struct store_rejected *rejected = arena_array(&bench->arena, rows, sizeof *rejected);
    uint32_t rejected_count = 0;
    int64_t now_us = clock_real_us();
    for (uint32_t i = 0; i < rows; i++)
        advance(bench, i, now_us);
    struct store_batch batch = {.shards = bench->marks,
                                .shard_count = rows < SHARDS ? rows : SHARDS,
                                .sagas = bench->sagas,
                                .saga_count = rows,
                                .records = bench->records,
                                .record_count = rows};
    must(bench, store_append(bench->store, &batch, &bench->arena, rejected, &rejected_count, &bench->note));
    check(rejected_count == 0);
    for (uint32_t i = 0; i < batch.shard_count; i++)
        bench->marks[i].before_lsn = bench->marks[i].last_lsn;
    arena_reset(&bench->arena);
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

/* CPU of the server process that serves us; -1 when the server runs elsewhere. */
static int64_t server_cpu_us(const char *url)
{
    char path[64];
    unsigned long user = 0;
    unsigned long system = 0;
    snprintf(path, sizeof path, "/proc/%s/stat",
             harness_query(url,
                           "select pid from pg_stat_activity where application_name = 'sagad' and datname = "
                           "current_database()"));
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    int fields =
        fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    fclose(file);
    return fields == 2 ? (int64_t)(user + system) * (1000000 / sysconf(_SC_CLK_TCK)) : -1;
}

static int64_t wal_bytes(const char *url)
{
    return strtoll(harness_query(url, "select pg_current_wal_lsn() - '0/0'"), NULL, 10);
}

static void measure_writes(struct bench *bench, const char *url, uint32_t rows)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < rows; i++)
        bench->sagas[i] = (struct store_saga){0};
    int64_t server_begin_us = server_cpu_us(url);
    int64_t wal_begin = wal_bytes(url);
    int64_t cpu_begin_us = cpu_us();
    int64_t begin_us = clock_monotonic_us();
    int64_t end_us = begin_us;
    for (; end_us - begin_us < span_us; end_us = clock_monotonic_us()) {
        write_batch(bench, rows);
        total += rows;
    }
    double seconds = (double)(end_us - begin_us) / 1e6;
    printf("append %4u a commit: %7.0f rows/s, %6.0f us a commit; a row: %5.2f us CPU here, %6.2f us CPU and "
           "%5.0f bytes of "
           "WAL in the server\n",
           rows, (double)total / seconds, (double)(end_us - begin_us) * rows / (double)total,
           (double)(cpu_us() - cpu_begin_us) / (double)total,
           (double)(server_cpu_us(url) - server_begin_us) / (double)total,
           (double)(wal_bytes(url) - wal_begin) / (double)total);
}

static void read_one(struct bench *bench)
{
    struct store_saga saga;
    struct store_record *records = NULL;
    uint32_t count = 0;
    must(bench, store_load(bench->store, bench->last, &bench->arena, &saga, &records, &count, &bench->note));
}

static void list_filter(struct bench *bench, struct store_filter filter)
{
    struct store_saga *sagas = NULL;
    uint32_t count = 0;
    filter.limit = 100;
    must(bench, store_list(bench->store, &filter, &bench->arena, &sagas, &count, &bench->note));
}

static void list_newest(struct bench *bench)
{
    list_filter(bench, (struct store_filter){0});
}

static void list_completed(struct bench *bench)
{
    list_filter(bench, (struct store_filter){.status = STR("completed")});
}

static void list_parked(struct bench *bench)
{
    list_filter(bench, (struct store_filter){.status = STR("parked")});
}

static void list_running(struct bench *bench)
{
    list_filter(bench, (struct store_filter){.status = STR("running")});
}

static void list_definition(struct bench *bench)
{
    list_filter(bench,
                (struct store_filter){.definition = STR("order-fulfilment"), .status = STR("completed")});
}

static void list_recent(struct bench *bench)
{
    list_filter(bench, (struct store_filter){.since_us = clock_real_us()});
}

static void list_attribute(struct bench *bench)
{
    struct str name = STR("customer");
    struct str value = STR("nobody");
    list_filter(bench,
                (struct store_filter){.search_names = &name, .search_values = &value, .search_count = 1});
}

static void measure_reads(struct bench *bench)
{
    static const struct {
        const char *name;
        void (*read)(struct bench *bench);
    } reads[] = {{"load one saga", read_one},
                 {"list the newest 100", list_newest},
                 {"list 100 completed", list_completed},
                 {"list parked", list_parked},
                 {"list running", list_running},
                 {"list 100 of a definition", list_definition},
                 {"list since now", list_recent},
                 {"list by attribute", list_attribute}};
    enum { TIMES = 200 };
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        int64_t begin_us = clock_monotonic_us();
        for (int k = 0; k < TIMES; k++) {
            reads[i].read(bench);
            arena_reset(&bench->arena);
        }
        printf("%-25s %7.0f us\n", reads[i].name, (double)(clock_monotonic_us() - begin_us) / TIMES);
    }
}

static void report_table(const char *url)
{
    char sql[] = "select format('HOT %s %% of updates; saga %s, journal %s bytes a saga', round(100.0 * "
                 "n_tup_hot_upd / "
                 "nullif(n_tup_upd, 0), 1), pg_total_relation_size('saga') / c.n, "
                 "pg_total_relation_size('saga_journal') / c.n) "
                 "from pg_stat_user_tables, (select count(*) as n from saga) as c where relname = 'saga'";
    printf("%s\n", harness_query(url, sql));
}

static void run(struct bench *bench, const char *url, int size_count, char **sizes)
{
    uint32_t applied = 0;
    uint32_t count = 0;
    struct store_shard *shards = NULL;
    must(bench, postgres_migrate(url, SHARDS, &applied, &bench->note));
    must(bench, postgres_open(url, &bench->store, &bench->note));
    must(bench, store_claim(bench->store, STR("store_bench"), 3600000000, SHARDS, &bench->arena, &shards,
                            &count, &bench->note));
    check(count == SHARDS);
    for (uint32_t i = 0; i < count; i++)
        bench->marks[shards[i].shard] = shards[i];
    static char usual[][4] = {"1", "16", "128", "512"};
    for (int i = 0; i < (size_count ? size_count : 4); i++)
        measure_writes(bench, url, (uint32_t)strtoul(size_count ? sizes[i] : usual[i], NULL, 10));
    (void)harness_query(url, "analyze saga"); /* as autovacuum would within the minute */
    measure_reads(bench);
    report_table(url);
    store_close(bench->store);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct harness harness;
    char url[SERVERS_URL_SIZE];
    arena_init(&bench.arena, 0);
    rng_init(&bench.rng, rng_entropy());
    if (argc > 1) {
        run(&bench, argv[1], argc - 2, argv + 2);
    } else {
        harness_start(&harness, HARNESS_POSTGRES);
        servers_postgres_url(&harness.postgres, "postgres", true, url);
        run(&bench, url, 0, NULL);
        harness_stop(&harness);
    }
    arena_fini(&bench.arena);
    return 0;
}
