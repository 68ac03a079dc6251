-- Batches, and reading sagas back. Each block is one statement, found by its name (pq_query.h).

-- name: append
select saga_append_7($1, $2, $3, $4, $5, $6,
                     $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                     $24, $25, $26, $27, $28, $29, $30, $31, $32, $33,
                     $34, $35, $36, $37, $38, $39, $40, $41, $42,
                     $43, $44, $45, $46, $47, $48, $49, $50, $51, $52,
                     $53, $54)

-- name: begin_snapshot
begin isolation level repeatable read read only

-- name: commit
commit

-- name: give_up
-- Behind `append`: the transaction fails, so the batch was only tried.
select saga_give_up()

-- name: load_sagas
select id, shard, version, seq, started_at, updated_at, ended_at, wake_at, paused, definition, hash, status, waiting,
       reason_code, key, search, parent
  from saga
 where id = any ($1::uuid[])
 order by id

-- name: load_records
select saga_id, seq, at, lsn, shard, attempt, kind, step, data
  from saga_journal
 where saga_id = any ($1::uuid[])
 order by saga_id, seq

-- name: glance
select id, seq, ended_at is not null, status
  from saga
 where id = any ($1::uuid[])

-- name: open_sagas
-- Reads the partial index saga_open.
select id, wake_at, updated_at
  from saga
 where shard = $1::integer and ended_at is null

-- name: unpublished
select saga_id, seq, at, lsn, shard, attempt, kind, step, data
  from saga_journal
 where shard = $1::integer and lsn > $2::bigint
 order by lsn
 limit $3::integer

-- name: find_keys
-- By the key first, then by id, one after the other (`offset 0` keeps the planner from turning it round), and the definition is
-- compared as an expression, so that only saga_key can serve. On tables without statistics other orders and saga_definition
-- look as good, and read every saga there is for each start, until the first ANALYZE.
select saga.id, saga.definition, saga.key, saga.status, saga.seq, saga.version, first.data
  from unnest($1::text[], $2::text[]) as wanted (definition, key)
       cross join lateral (select id, definition, key, status, seq, version
                             from saga as one
                            where one.key = wanted.key and one.definition || '' = wanted.definition
                           offset 0) as saga
       cross join lateral (select data
                             from saga_journal as one
                            where one.saga_id = saga.id and one.seq = 1
                           offset 0) as first

-- name: list
-- Planned anew for each call, so that conditions which are not asked for vanish and the others choose the index: open
-- statuses saga_open, troubled ones saga_troubled, a definition saga_definition, a key saga_key, attributes saga_search,
-- a parent saga_parent, anything else the newest ids. $5 is the smallest id that a saga started at $4 can have.
select id, shard, version, seq, started_at, updated_at, ended_at, wake_at, paused, definition, hash, status, waiting,
       reason_code, key, search, parent
  from saga
 where ($1::text = '' or status = $1)
   and ($1 not in ('running', 'compensating', 'parked') or ended_at is null)
   and ($2::text = '' or definition = $2)
   and ($3::text = '' or key = $3)
   and ($4::timestamptz is null or (started_at >= $4 and id >= $5::uuid))
   and ($6::uuid is null or id < $6)
   and ($7::text is null or (search <> '{}' and search @@ $7::jsonpath))
   and ($9::uuid is null or parent = $9)
 order by id desc
 limit $8::integer

-- name: dead_letters
select number, at, shard, reason, subject, saga, command, headers, body, message
  from dead_letter
 where number < coalesce(nullif($1::bigint, 0), 9223372036854775807)
 order by number desc
 limit $2::integer

-- name: letters_of_saga
-- `+ 0`: by the saga's index alone, for of all letters few are this saga's, whatever the statistics say.
select number, at, shard, reason, subject, saga, command, '{}'::json, ''::bytea, message
  from dead_letter
 where saga = $3::text and saga <> '' and number + 0 < coalesce(nullif($1::bigint, 0), 9223372036854775807)
 order by number + 0 desc
 limit $2::integer

-- name: forget_dead
select saga_forget_dead_7($1::timestamptz, $2::integer)

-- name: doctor
-- L2: whoever is not ended waits for a timer (a command that is out has one), for a human with a named reason, or is paused; and an engine owns its
-- shard, or nobody would see the timer. A timer long past on a shard that is owned: its engine cannot act on it.
select saga.id, status,
       case when wake_at is not null and owner is not null and lease_until >= clock_timestamp()
                then 'its timer is overdue since ' || to_char(wake_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                     || ': the engine that owns its shard does not act on it'
            when wake_at is not null then 'no engine owns its shard: its timer will not fire'
            when status = 'parked' then 'parked without a reason'
            else 'not ended, and neither a timer, a command nor a human will move it' end
  from saga
  join shard on shard.id = saga.shard
 where ended_at is null and not paused and not (status = 'parked' and reason_code <> '')
   and (wake_at is null or owner is null or lease_until < clock_timestamp()
        or wake_at < clock_timestamp() - interval '5 minutes')
 order by saga.id
 limit 1000

-- name: doctor_gaps
-- Open sagas of a shard that cannot be folded, because records are missing.
select saga.id, status,
       'its journal cannot be read: ' || journal.records || ' records, the last ' || journal.last || ', but the saga is at '
       || saga.seq
  from saga
       cross join lateral (select count(*) as records, coalesce(max(seq), 0) as last
                             from saga_journal as one
                            where one.saga_id = saga.id
                           offset 0) as journal
 where shard = $1::integer and ended_at is null and (journal.records <> saga.seq or journal.last <> saga.seq)
 limit $2::integer
