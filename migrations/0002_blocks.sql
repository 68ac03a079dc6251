-- Blocks: sagas have child sagas, and a message that is delivered twice is one dead letter.
--
-- saga.parent names the saga whose step this one is; which step, says its first journal row. It never changes, so that it
-- may stand in an index; only children are in it. dead_letter.message says which message it was (stream, sequence, time): an
-- engine that dies between the commit and the acknowledgement gets the message again, and so would write it down again. Null
-- where nobody can tell: answers to plain requests, and letters from before this migration. Two nulls are two messages.
--
-- Adding the columns rewrites no table. An engine from before finds no saga_append with its parameters: its batches fail and
-- are kept until it is replaced by a new one.

alter table saga add column parent uuid;
create index saga_parent on saga (parent, id) where parent is not null;

alter table dead_letter add column message text;
create unique index dead_letter_message on dead_letter (message);

drop function saga_append;

-- One batch, one transaction. new_: sagas whose first record is in the batch. old_: the others; a row that is missing, or
-- that is further than the batch says, fails with SG003. A dead letter of a message that has one already is passed over.
-- Arrays are read by subscript: PL/pgSQL holds them taken apart, so that a subscript is one step, while unnest would store each
-- array as a table of its own (a tenth of the whole cost).
create function saga_append(
    in_shards integer[], in_epochs bigint[], in_last_lsns bigint[], in_published_lsns bigint[],
    new_ids uuid[], new_shards integer[], new_versions integer[], new_seqs bigint[], new_started timestamptz[],
    new_updated timestamptz[], new_ended timestamptz[], new_wakes timestamptz[], new_paused boolean[], new_definitions text[],
    new_hashes text[], new_statuses text[], new_waiting text[], new_reasons text[], new_keys text[], new_search jsonb[],
    new_parents uuid[],
    old_ids uuid[], old_seqs bigint[], old_updated timestamptz[], old_ended timestamptz[], old_wakes timestamptz[],
    old_paused boolean[], old_statuses text[], old_waiting text[], old_reasons text[],
    row_ids uuid[], row_seqs bigint[], row_at timestamptz[], row_lsns bigint[], row_shards integer[], row_attempts integer[],
    row_kinds text[], row_steps text[], row_data json[],
    dead_at timestamptz[], dead_shards integer[], dead_reasons text[], dead_subjects text[], dead_sagas text[],
    dead_commands text[], dead_headers json[], dead_bodies bytea[], dead_messages text[])
    returns void language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    updated bigint;
begin
    perform saga_fence(in_shards, in_epochs, in_last_lsns, in_published_lsns);
    if cardinality(new_ids) > 0 then
        insert into saga (id, shard, version, seq, started_at, updated_at, ended_at, wake_at, paused, definition, hash, status,
                          waiting, reason_code, key, search, parent)
        select new_ids[i], new_shards[i], new_versions[i], new_seqs[i], new_started[i], new_updated[i], new_ended[i],
               new_wakes[i], new_paused[i], new_definitions[i], new_hashes[i], new_statuses[i], new_waiting[i],
               new_reasons[i], new_keys[i], new_search[i], new_parents[i]
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
        insert into dead_letter (at, shard, reason, subject, saga, command, headers, body, message)
        select dead_at[i], dead_shards[i], dead_reasons[i], dead_subjects[i], dead_sagas[i], dead_commands[i],
               dead_headers[i], dead_bodies[i], dead_messages[i]
          from generate_series(1, cardinality(dead_at)) as i
            on conflict (message) do nothing;
    end if;
end $$;
