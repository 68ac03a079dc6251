-- The statements of the program before this one (its migrations end with 0002), word for word: each must still be understood
-- by the schema of today, because engines of that version run on while it is migrated (migrations/README.md). With a
-- release these become the statements of that release.

-- name: append
select saga_append($1, $2, $3, $4,
                   $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                   $22, $23, $24, $25, $26, $27, $28, $29, $30,
                   $31, $32, $33, $34, $35, $36, $37, $38, $39,
                   $40, $41, $42, $43, $44, $45, $46, $47, $48)

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

-- name: open_sagas
-- Reads the partial index saga_open.
select id, wake_at
  from saga
 where shard = $1::integer and ended_at is null

-- name: unpublished
select saga_id, seq, at, lsn, shard, attempt, kind, step, data
  from saga_journal
 where shard = $1::integer and lsn > $2::bigint
 order by lsn
 limit $3::integer

-- name: find_keys
select saga.id, saga.definition, saga.key, saga.status, first.data
  from unnest($1::text[], $2::text[]) as wanted (definition, key)
       join saga on saga.key = wanted.key and saga.definition = wanted.definition
       join saga_journal as first on first.saga_id = saga.id and first.seq = 1

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
 where $1::bigint = 0 or number < $1
 order by number desc
 limit $2::integer

-- name: doctor
-- L2: whoever is not ended waits for a timer (a command that is out has one), for a human with a named reason, or is paused; and an engine owns its
-- shard, or nobody would see the timer.
select saga.id, status,
       case when wake_at is not null then 'no engine owns its shard: its timer will not fire'
            when status = 'parked' then 'parked without a reason'
            else 'not ended, and neither a timer, a command nor a human will move it' end
  from saga
  join shard on shard.id = saga.shard
 where ended_at is null and not paused and not (status = 'parked' and reason_code <> '')
   and (wake_at is null or owner is null or lease_until < clock_timestamp())
 order by saga.id
 limit 1000

-- name: shard_count
select count(*)::integer from shard

-- name: now
select clock_timestamp()

-- name: claim
-- Own shards first, then free and expired ones. A row locked by somebody's batch is passed over: its owner lives.
update shard
   set owner = $1::text, epoch = epoch + 1, lease_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
 where id in (select id
                from shard
               where owner is null or owner = $1 or lease_until <= clock_timestamp()
               order by owner is not distinct from $1 desc, id
               limit $3::integer
                 for update skip locked)
returning id, epoch, last_lsn, published_lsn

-- name: renew
update shard
   set lease_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
  from unnest($3::integer[], $4::bigint[]) as held (id, epoch)
 where shard.id = held.id and shard.epoch = held.epoch and shard.owner = $1::text
returning shard.id

-- name: release
update shard
   set owner = null, lease_until = null
  from unnest($1::integer[], $2::bigint[]) as held (id, epoch)
 where shard.id = held.id and shard.epoch = held.epoch

-- name: marks
select shard.id, shard.epoch, shard.last_lsn, shard.published_lsn
  from shard
 where shard.id = any ($1::integer[])

-- name: probe
update probe set at = clock_timestamp()

-- name: definition_put
insert into definition (name, version, hash, bundle, enabled, created_at)
values ($1::text, $2::integer, $3::text, $4::text, $5::boolean,
        case when $6::timestamptz = 'epoch' then clock_timestamp() else $6 end)
    on conflict (name, version) do nothing

-- name: definition_hash
select hash from definition where name = $1::text and version = $2::integer

-- name: definition_enable
update definition set enabled = $3::boolean
 where name = $1::text and version = $2::integer
returning version

-- name: definitions
select name, version, hash, bundle, enabled, created_at
  from definition
 order by name, version
