-- The model of sagad, complete. Each later migration changes it and says why.
--
--   saga           one narrow row per saga: what lists, filters and timers need. A projection, overwritten by every
--                  transition, never wider than a few hundred bytes, never holding payloads.
--   saga_journal   the truth. One row per transition, appended, never changed: the event that came in and what was
--                  decided. Folding a saga's rows in the order of seq gives its whole state. It is the outbox too: lsn rises
--                  within a shard, and what lies above shard.published_lsn may still have to be sent.
--   shard          who may write which part of the saga space: lease, fencing epoch, and the two marks.
--   definition     the definitions as they were used, by name, version and hash; never changed.
--   dead_letter    messages that belong to nothing, each with the reason.
--   probe          one row that the readiness check updates.
--   migration      which of these files were applied (made by the migrating program itself).
--   saga_step      a view over the journal for people: one row per saga and step.
--
-- How it is written. One call of saga_append per batch, one transaction: it moves the marks of the shards, which is the
-- fence (an owner whose epoch is gone writes nothing), and stores the rows. It is one statement on purpose: the server begins
-- only when all of it has arrived, so an engine that stops in the middle of sending leaves no lock behind.
--
-- How it stays fast. An UPDATE of a saga stays on its page and touches no index (HOT) as long as no indexed value changes
-- and the page has room. Pages are filled to a half: sagas that started together move on together, and each finds room beside
-- it. Nothing that each transition changes (seq, updated_at, wake_at, waiting) stands in an index, nor in the condition of
-- one. status and ended_at stand in conditions of partial indexes: they change once in the life of a saga that goes well.
--
-- How lists by status are found, without an index on status: the open ones through saga_open, the ones that went wrong
-- through saga_troubled, and completed, which most are, by walking the newest ids.

create table saga (
    id          uuid        not null primary key,   -- UUIDv7; carries its shard
    shard       integer     not null,
    version     integer     not null,
    seq         bigint      not null,               -- of its last journal row
    started_at  timestamptz not null,
    updated_at  timestamptz not null,
    ended_at    timestamptz,                        -- null: open
    wake_at     timestamptz,                        -- its next timer
    paused      boolean     not null,
    definition  text        not null,
    hash        text        not null,               -- of the definition
    status      text        not null,               -- running, compensating, parked, completed, compensated, terminated
    waiting     text        not null,               -- one line: what it waits for
    reason_code text        not null,               -- why it went back, or why it is parked
    key         text,                               -- business key
    search      jsonb       not null                -- attributes for filters
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

create unique index saga_key on saga (key, definition) where key is not null;
create index saga_definition on saga (definition, id);
create index saga_open on saga (shard, id) where ended_at is null;
create index saga_troubled on saga (id) where status in ('compensating', 'parked', 'compensated', 'terminated');
create index saga_search on saga using gin (search jsonb_path_ops) where search <> '{}';

create table saga_journal (
    saga_id uuid        not null,
    seq     bigint      not null,                   -- 1, 2, 3 … within the saga
    at      timestamptz not null,                   -- for people; order is by seq
    lsn     bigint      not null,                   -- rises within the shard
    shard   integer     not null,
    attempt integer     not null,
    kind    text        not null,                   -- start, reply, timer, cancel, …
    step    text,
    data    json        not null,                   -- json, not jsonb: the text is kept byte for byte
    primary key (saga_id, seq)
);

-- What must be sent again after a takeover. A btree: 2 of the 12 microseconds that a row costs the server. BRIN would cost
-- half of that, but its ranges hold all shards, whose lsn differ, so that a takeover would read most of the journal.
create index saga_journal_outbox on saga_journal (shard, lsn);

create table shard (
    id            integer     not null primary key,
    epoch         bigint      not null default 0,   -- rises with each claim
    last_lsn      bigint      not null default 0,
    published_lsn bigint      not null default 0,   -- every command up to here was acknowledged by the broker
    owner         text,
    lease_until   timestamptz
) with (fillfactor = 20);

create table definition (
    name       text        not null,
    version    integer     not null,
    hash       text        not null,
    bundle     text        not null,
    enabled    boolean     not null,
    created_at timestamptz not null,
    primary key (name, version)
);

create table dead_letter (
    number  bigint      not null generated always as identity primary key,
    at      timestamptz not null,
    shard   integer     not null,
    reason  text        not null,
    subject text        not null,
    saga    text        not null,                   -- where it can be told, else empty
    command text        not null,                   -- likewise
    headers json        not null,
    body    bytea       not null
);

create table probe (
    only_row boolean     not null primary key default true check (only_row),
    at       timestamptz not null
);
insert into probe (at) values (now());

-- The fence. Moves the marks of the shards of a batch, or fails:
--   SG001  another engine has claimed one of them
--   SG002  last_lsn does not rise: the batch was written before
create function saga_fence(in_shards integer[], in_epochs bigint[], in_last_lsns bigint[], in_published_lsns bigint[])
    returns void language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    moved bigint;
    lost  text;
begin
    update shard
       set last_lsn = u.last_lsn, published_lsn = greatest(shard.published_lsn, u.published_lsn)
      from unnest(in_shards, in_epochs, in_last_lsns, in_published_lsns) as u (id, epoch, last_lsn, published_lsn)
     where shard.id = u.id and shard.epoch = u.epoch and shard.last_lsn < u.last_lsn;
    get diagnostics moved = row_count;
    if moved = cardinality(in_shards) then
        return;
    end if;
    select string_agg(format('%s (epoch %s, now %s)', u.id, u.epoch, coalesce(shard.epoch::text, 'none')), ', ')
      into lost
      from unnest(in_shards, in_epochs) as u (id, epoch) left join shard on shard.id = u.id
     where shard.epoch is distinct from u.epoch;
    if lost is not null then
        raise exception using errcode = 'SG001', message = 'another engine owns shard ' || lost;
    end if;
    raise exception using errcode = 'SG002', message = 'the batch does not raise last_lsn of its shards';
end $$;

-- One batch, one transaction. new_: sagas whose first record is in the batch. old_: the others; a row that is missing, or
-- that is further than the batch says, fails with SG003. Arrays are read by subscript: PL/pgSQL holds them taken apart, so
-- that a subscript is one step, while unnest would store each array as a table of its own (a tenth of the whole cost).
create function saga_append(
    in_shards integer[], in_epochs bigint[], in_last_lsns bigint[], in_published_lsns bigint[],
    new_ids uuid[], new_shards integer[], new_versions integer[], new_seqs bigint[], new_started timestamptz[],
    new_updated timestamptz[], new_ended timestamptz[], new_wakes timestamptz[], new_paused boolean[], new_definitions text[],
    new_hashes text[], new_statuses text[], new_waiting text[], new_reasons text[], new_keys text[], new_search jsonb[],
    old_ids uuid[], old_seqs bigint[], old_updated timestamptz[], old_ended timestamptz[], old_wakes timestamptz[],
    old_paused boolean[], old_statuses text[], old_waiting text[], old_reasons text[],
    row_ids uuid[], row_seqs bigint[], row_at timestamptz[], row_lsns bigint[], row_shards integer[], row_attempts integer[],
    row_kinds text[], row_steps text[], row_data json[],
    dead_at timestamptz[], dead_shards integer[], dead_reasons text[], dead_subjects text[], dead_sagas text[],
    dead_commands text[], dead_headers json[], dead_bodies bytea[])
    returns void language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    updated bigint;
begin
    perform saga_fence(in_shards, in_epochs, in_last_lsns, in_published_lsns);
    if cardinality(new_ids) > 0 then
        insert into saga (id, shard, version, seq, started_at, updated_at, ended_at, wake_at, paused, definition, hash, status,
                          waiting, reason_code, key, search)
        select new_ids[i], new_shards[i], new_versions[i], new_seqs[i], new_started[i], new_updated[i], new_ended[i],
               new_wakes[i], new_paused[i], new_definitions[i], new_hashes[i], new_statuses[i], new_waiting[i],
               new_reasons[i], new_keys[i], new_search[i]
          from generate_series(1, cardinality(new_ids)) as i;
    end if;
    if cardinality(old_ids) > 0 then
        update saga
           set seq = u.seq, updated_at = u.updated_at, ended_at = u.ended_at, wake_at = u.wake_at, paused = u.paused,
               status = u.status, waiting = u.waiting, reason_code = u.reason_code
          from (select old_ids[i] as id, old_seqs[i] as seq, old_updated[i] as updated_at, old_ended[i] as ended_at,
                        old_wakes[i] as wake_at, old_paused[i] as paused, old_statuses[i] as status,
                        old_waiting[i] as waiting, old_reasons[i] as reason_code
                  from generate_series(1, cardinality(old_ids)) as i) as u
         where saga.id = u.id and saga.seq < u.seq;
        get diagnostics updated = row_count;
        if updated <> cardinality(old_ids) then
            raise exception using errcode = 'SG003', message = 'a saga of the batch has no row, or one that is not older';
        end if;
    end if;
    insert into saga_journal (saga_id, seq, at, lsn, shard, attempt, kind, step, data)
    select row_ids[i], row_seqs[i], row_at[i], row_lsns[i], row_shards[i], row_attempts[i], row_kinds[i], row_steps[i],
           row_data[i]
      from generate_series(1, cardinality(row_ids)) as i;
    if cardinality(dead_at) > 0 then
        insert into dead_letter (at, shard, reason, subject, saga, command, headers, body)
        select dead_at[i], dead_shards[i], dead_reasons[i], dead_subjects[i], dead_sagas[i], dead_commands[i],
               dead_headers[i], dead_bodies[i]
          from generate_series(1, cardinality(dead_at)) as i;
    end if;
end $$;

-- Fails with SG000: whatever was done in the same transaction is undone.
create function saga_give_up() returns void language plpgsql as $$
begin
    raise exception using errcode = 'SG000', message = 'tried, and undone on purpose';
end $$;

-- Steps as people ask for them, read from the journal: state is the last move, attempts count commands of each kind.
-- Meant for one saga, or few: `select * from saga_step where saga_id = '…'`.
create view saga_step as
with change as (
    select journal.saga_id, journal.seq, entry.place, journal.at, entry.value ->> 'step' as step,
           entry.value ->> 'change' as change, entry.value ->> 'kind' as kind, (entry.value ->> 'attempt')::integer as attempt,
           entry.value ->> 'code' as code, entry.value ->> 'message' as message,
           case entry.value ->> 'change'
               when 'open' then 'waiting'
               when 'step' then entry.value ->> 'state'
               when 'send' then case entry.value ->> 'kind' when 'do' then 'sent' when 'verify' then 'verifying'
                                                            when 'undo' then 'undoing' end
           end as state
      from saga_journal as journal
           cross join lateral json_array_elements(journal.data -> 'changes') with ordinality as entry (value, place)
     where entry.value ->> 'change' in ('open', 'step', 'send', 'fault')
)
select saga_id, step,
       (array_agg(state order by seq desc, place desc) filter (where state is not null))[1] as state,
       coalesce(max(attempt) filter (where change = 'send' and kind = 'do'), 0) as attempts,
       coalesce(max(attempt) filter (where change = 'send' and kind = 'verify'), 0) as verify_attempts,
       coalesce(max(attempt) filter (where change = 'send' and kind = 'undo'), 0) as undo_attempts,
       min(at) as opened_at,
       max(at) filter (where change = 'send') as sent_at,
       max(at) as changed_at,
       (array_agg(code order by seq desc, place desc) filter (where change = 'fault'))[1] as error_code,
       (array_agg(message order by seq desc, place desc) filter (where change = 'fault'))[1] as error_message
  from change
 group by saga_id, step;
