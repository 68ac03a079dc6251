/* Every bound of the engine, with the reason for its number. A bound that users can meet is named in the
 * error they get. */
#pragma once

/* The long form of the fuzz targets (tests/fuzz/run) is built with a larger one, so that an input reaches the
 * bounds of what one event may cost in a millisecond instead of a second. 1 in everything else. */
#ifndef LIMITS_DIVISOR
#define LIMITS_DIVISOR 1
#endif

enum {
    LIMITS_JSON_DEPTH =
        64, /* nesting of any JSON value: recursion of 64 small frames fits any thread's stack */
    LIMITS_JSON_BUILT_DEPTH =
        1024, /* a tree built in memory before its depth is refused: walks of it fit a 512 KiB stack */
    LIMITS_JSON_PAIRS = 16,       /* members compared each with each; above, they are sorted first */
    LIMITS_JSON_SHOWN_BYTES = 64, /* of a key shown in an error: longer than any name (LIMITS_NAME_BYTES) */
    LIMITS_DIAG_COLUMNS = 100,    /* of a source line shown; longer ones are cut around the caret */
    LIMITS_PAYLOAD_BYTES = 262144 / LIMITS_DIVISOR, /* one input, reply body or command body: a quarter of
                                                       NATS's default max_payload of 1 MiB */

    LIMITS_STEPS = 1000,      /* steps of one definition: definitions/README.md */
    LIMITS_INSTANCES = 10000, /* steps that one saga may open, items of a foreach counted one by one: 3 MB
                                 resident; the loader computes the most a definition can open */
    LIMITS_FRAMES = 10000, /* blocks, branches and items that one saga may enter, likewise: with two changes
                              each they fit one record beside LIMITS_INSTANCES of three */
    LIMITS_CONCURRENCY = 100, /* commands of one saga under way at once, over all its blocks: bounds what one
                                 transition sends */
    LIMITS_ITEMS = 1000,      /* of one foreach */
    LIMITS_CASES = 64,        /* of a switch, branches of a parallel */
    LIMITS_CHILD_DEPTH = 16,  /* sagas above a child saga: two definitions that start each other end here */
    LIMITS_FAMILY_VERBS = 1000, /* sagas below one that a terminate, pause or resume of it reaches in one
                                   request: a few seconds of one commit each; what is left is told */
    LIMITS_FAMILY = 100000, /* sagas that one brings about, itself and all below it included: a foreach that
                               starts its own definition would make 100^16. Part of the rules that journals
                               are replayed by */
    LIMITS_SIGNALS = 256,   /* signals kept in one saga: each await takes one */
    LIMITS_DEPTH = 16,      /* nesting of blocks in a definition: definitions/README.md */
    LIMITS_NAME_BYTES = 63, /* saga, step, participant and action names: fits a NATS token and a DNS label */
    LIMITS_INSTANCE_BYTES = 261, /* an engine's name: the longest host name, a hyphen and a port */
    LIMITS_EVENT_BYTES = 200,    /* of an await: fits a subject below saga.signal. */
    LIMITS_KEY_BYTES = 200,      /* business key: fits a btree entry and a screen line */
    LIMITS_SEARCH_COUNT = 16,    /* search attributes of a definition: list filters, not a document store */
    LIMITS_DEFINITION_BYTES = 1048576, /* one YAML file: a thousand steps of a kilobyte each */
    LIMITS_YAML_DEPTH = 160,           /* 16 levels of blocks, up to five of YAML each, above a value of 64 */
    LIMITS_YAML_NODES = 65536,         /* values in one file: a thousand steps of 65 each; 120 bytes a node */
    LIMITS_SCHEMA_FILES = 64,          /* schema files of one definition; their sum is at most
                                          LIMITS_DEFINITION_BYTES */
    LIMITS_SCHEMA_PARTS =
        10000, /* schemas in one schema, those of its members included: some 5 MB compiled */
    LIMITS_SCHEMA_PATTERN_BYTES = 4194304, /* patterns of one schema, compiled: a thousand plain ones */
    LIMITS_SCHEMA_CHAIN =
        16, /* schemas that lead to each other for one value: 16 × LIMITS_JSON_DEPTH calls */
    LIMITS_SCHEMA_WORK = 4000000, /* steps of one check: sixty times what 256 KiB ask for, below 100 ms */
    LIMITS_SCHEMA_WORK_FORMER = 20000000, /* of sagas begun before transitions were bounded */
    LIMITS_BUNDLE_BYTES = 4718592, /* the file and its schemas, each line end escaped, with room for names */
    LIMITS_PARTICIPANTS = 4096,    /* distinct ones of all definitions: a consumer of the broker each, looked
                                      after one by one */
    LIMITS_PLAN_BYTES = 67108864,  /* memory of one loaded definition: three times what plain steps that
                                      fill LIMITS_DEFINITION_BYTES take */
    LIMITS_DEFINITIONS_BYTES = 1073741824, /* of all of them: two hundred of a thousand steps each */
    LIMITS_PATH_BYTES = 200,               /* a schema file's path: a screen line */
    LIMITS_DESCRIPTION_BYTES = 1000,       /* a paragraph */
    LIMITS_SUBJECT_BYTES = 255,            /* a NATS subject of `via: request` */
    LIMITS_ERROR_RULES = 64,               /* codes of one step's `errors`: searched one by one */
    LIMITS_ERRORS_COUNT = 64,              /* diagnostics kept for one file; the rest is counted */
    LIMITS_DURATION_DAYS = 3650, /* longest duration: keeps sums of times far below 2^63 microseconds */
    LIMITS_SHARDS_MAX = 4096,    /* 12 bits in the saga id */
    LIMITS_SHARDS_DEFAULT = 16, /* spreads over up to 16 runners; each costs one consumer and one lease row */
    LIMITS_EXPR_BYTES = 16384,  /* source of one expression */
    /* evaluation steps of one expression: about 10 ms */
    LIMITS_EXPR_STEPS = 100000 / LIMITS_DIVISOR,
    /* of all cases of one switch, of a key and all search attributes: 50 ms */
    LIMITS_SWITCH_STEPS = 500000 / LIMITS_DIVISOR,
    /* of one transition: over it the rest is left to the next one. With the last switch and one check of a
     * schema well below the lease */
    LIMITS_TRANSITION_STEPS = 500000 / LIMITS_DIVISOR,
    LIMITS_EXPR_RESULT_BYTES = 1048576, /* memory one evaluation may take in its arena */
    LIMITS_EXPR_DEPTH = 200, /* nesting of one expression: 200 levels of the evaluator fit a 512 KiB stack */
    LIMITS_EXPR_LOCALS = 32, /* variables bound by `as` at once: kept on the stack of each evaluation */
    LIMITS_REGEX_BYTES = 1000,  /* source of one regular expression */
    LIMITS_REGEX_STATES = 2000, /* of its machine: lists of them are kept on the stack of each test, 24 KB */
    LIMITS_REGEX_REPEAT = 1000, /* the largest number in {m,n} */
    LIMITS_REGEX_DEPTH = 50,    /* groups in groups */
    LIMITS_REGEX_GROUPS =
        16, /* groups of one pattern whose texts are kept: each way through it carries them */
    LIMITS_PENDING_COUNT =
        1000, /* `pending` replies that may extend one attempt: an endless one ends by its deadline */
    LIMITS_RECORD_CHANGES =
        65536, /* changes of one record: entering, leaving and undoing LIMITS_INSTANCES takes six each */
    /* of bodies in one record; over it the rest is left to the next one: four of the largest, which with the
     * event's own make 1.5 MiB a row at most */
    LIMITS_RECORD_BYTES = 1048576 / LIMITS_DIVISOR,
    LIMITS_SAGA_BYTES = 67108864, /* of all bodies that one saga has stored, 64 for each value and its text:
                                     what is held in memory of it, and what a takeover reads back */
    LIMITS_PAYLOAD_DEPTH = 60, /* levels of an input, reply or command body: LIMITS_JSON_DEPTH less the four a
                                  journal row adds */
    LIMITS_ATTEMPTS_MAX = 1000000, /* `unlimited` attempts still count in 32 bits */
    LIMITS_BATCH_EVENTS = 512,     /* events of one commit: throughput is flat above (engine/DESIGN.md) */
    LIMITS_BATCH_ITEMS = 4096,    /* taken at once while most lead to nothing that is stored: half an inbox */
    LIMITS_BATCH_BYTES = 1048576, /* of the items taken at once, and of the rows of one commit, over which the
                                     batch is cut: one record more and PostgreSQL takes it in 50 ms, which is
                                     how long everybody else's next step waits; 512 events of 2 KB */
    LIMITS_BATCH_HEAVY_BYTES = 524288, /* of the rows of sagas that have stored more than LIMITS_RECORD_BYTES:
                                          over it these wait for the next batch, and the others do not */
    LIMITS_BATCH_STEPS = 1000000, /* evaluation steps of one batch, likewise: 100 ms, far below the lease */
    LIMITS_BATCH_ARENA_BYTES =
        67108864,           /* memory of one batch, likewise: its messages to the broker included */
    LIMITS_FORWARDS = 8192, /* requests on their way to other engines, of which each shard has its equal part,
                               so that a frozen owner's shards take no room from others' */
    LIMITS_HELD_COMMANDS = 16384, /* of a shard, that the broker has no room for while it has room for others:
                                     as many as sagas that a runner keeps in memory, nearly; a new owner reads
                                     the journal again from the oldest */
    LIMITS_INBOX_EVENTS = 8192,   /* a runner's inbox: about a second of work; then push back */
    LIMITS_INBOX_BYTES =
        67108864, /* of a runner's inbox: 8192 events of 8 KiB on average, or 256 of the largest payload */
    LIMITS_RESIDENT_SAGAS = 20000,     /* sagas kept in memory by one runner; others load on demand */
    LIMITS_RESIDENT_BYTES = 536870912, /* of them: 26 KB each, several times what common ones take */
    LIMITS_ERROR_MESSAGE_BYTES = 1000, /* Saga-Error-Message kept; longer ones are cut at a character */
    LIMITS_ERROR_CODE_BYTES = 64,      /* Saga-Error-Code: a word for `errors`, as long as any name */
    LIMITS_REASON_BYTES = 1000,        /* operator's reason and actor */
    LIMITS_HTTP_BODY_BYTES =
        1048576, /* a definition file; other bodies are bounded by LIMITS_PAYLOAD_BYTES plus their frame */
    LIMITS_HTTP_HELD_BYTES = 134217728, /* what all requests of the HTTP service hold at once: 500 of the
                                           largest inputs; above, only small requests are taken */
    LIMITS_HTTP_SMALL_BYTES = 16384, /* a body taken even then, and a start checked without a worker: a screen
                                        of JSON; 8,192 connections of it are LIMITS_HTTP_HELD_BYTES again */
    LIMITS_HTTP_PAGE_BYTES = 1048576, /* one page of records or dead letters, the last one over it whole */
    LIMITS_HTTP_WAITING_WRITES = 256, /* starts and definitions that wait for a worker: a second of them */
    LIMITS_HTTP_WAITING_READS = 256,  /* reads likewise */
    LIMITS_HTTP_WAITING_PLANS = 8,    /* plans that wait: a second each, at the worst */
    LIMITS_LOG_LINE_BYTES = 4096,     /* PIPE_BUF: one write of a line to a pipe is not torn */
    LIMITS_CONFIG_BYTES = 65536,      /* configuration file: some thirty settings and their comments */
    LIMITS_RUNNERS_MAX = 64,          /* threads; one carries 100,000 transitions/s (engine/DESIGN.md) */
    LIMITS_METRICS_SERIES = 256,      /* label sets of one metric; above, the first label becomes "other" */
    LIMITS_METRICS_OTHER = 64,        /* label sets kept for these; above, all labels become "other" */
    LIMITS_METRICS_LABEL_BYTES = 64,  /* a name (LIMITS_NAME_BYTES) and its NUL; longer ones are cut */
    LIMITS_STORE_CONNECT_MS = 3000,   /* one try to reach PostgreSQL, and the wait for a lost backend's end */
    LIMITS_STORE_LOCK_MS = 3000,      /* a row lock lasts one batch, some milliseconds; below the lease */
    LIMITS_STORE_STATEMENT_MS = 10000, /* a batch takes 5 ms; a hundred times slower is still no failure */
    LIMITS_STORE_ANSWER_MS =
        15000, /* above the server's own limit, so that it answers first while it lives */
    LIMITS_STORE_MIGRATE_MS = 600000, /* one migration, waiting for another program's included */
    LIMITS_STORE_MIGRATE_LOCK_MS =
        2000, /* for a table's lock: engines wait behind it; autovacuum yields after 1 s */
    LIMITS_STORE_MIGRATE_PAUSE_MS = 1000,   /* between tries: time for what waited */
    LIMITS_STORE_MIGRATE_TRIES = 40,        /* two minutes of them */
    LIMITS_DEAD_LETTERS = 100000,           /* kept, of all shards: more than anybody reads */
    LIMITS_DEAD_BYTES = 1024 * 1024 * 1024, /* of them: what a database does not notice */
    LIMITS_DEAD_BURST = 2000, /* dead letters of one class that a runner stores at once, each for its first
                                 4 KiB and one more for each further: half a second of the database, */
    LIMITS_DEAD_RATE = 100,   /* and so many a second from then on: what people can look through, and a
                                 fiftieth of what the database can take */
    LIMITS_DEAD_CLASS_BYTES =
        64,                /* who and the first words of why: enough to tell kinds of dead letters apart */
    LIMITS_TRAIL = 131072, /* of a runner: seconds of the fastest load, more than a replica is behind; 5 MiB;
                              a power of two */
    LIMITS_STORE_LIST = 1000, /* rows of one list or one report */
};
