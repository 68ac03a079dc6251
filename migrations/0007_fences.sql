-- serves: 2
--
-- Exact fences, and dead letters that are bounded.
--
-- Fences. A batch names the predecessor of everything it changes: last_lsn of each shard and seq of each saga as the engine
-- knows them. They must be exactly that, not merely older. After a failover that lost the newest commits they are older too,
-- and a batch that was made on top of what was lost would leave a gap in the journal for ever. The owner is named as well:
-- after such a failover a claim may be given an epoch that another engine has had before.
--
-- Dead letters. Each belongs to a class: who sent it, and what was wrong with it. dead_letter_tally counts them by shard and
-- class; only the shard's owner writes a row of it, so that nobody waits for anybody. When a shard has more than its part, the
-- oldest letters of its largest class go: whoever floods pushes out his own. dead_letter_place finds a class's oldest; it is a
-- table and not an index of dead_letter, which nobody has bounded until now and which would be read whole to build one. Letters
-- from before this migration, or written by an engine of the version before, are in no class; they go when they are too old.
--
-- Nothing is rewritten. saga_append and saga_fence stay for the version before; their batches are refused by nothing here.

-- Plans. While saga is believed to be empty all its indexes cost the same, and the planner takes the newest that fits; a session
-- keeps what it took. saga_definition fits a search by id and then reads all of it. So in a database without sagas the primary
-- key is made anew; one with sagas has statistics.
do $$ begin
    if not exists (select from saga) then
        alter table saga drop constraint saga_pkey, add constraint saga_pkey primary key (id);
    end if;
end $$;

alter table dead_letter add column class text;

create table dead_letter_place (
    shard  integer not null,
    class  text    not null,
    number bigint  not null,
    bytes  bigint  not null,
    primary key (shard, class, number)
);

create table dead_letter_tally (
    shard   integer not null,
    class   text    not null,
    letters bigint  not null,
    bytes   bigint  not null,
    primary key (shard, class)
) with (fillfactor = 50);

-- The fence. Moves the marks of the shards of a batch, or fails:
--   SG001  another engine has claimed one of them
--   SG002  last_lsn is not the batch's predecessor: it was written before, or the database has lost commits (the message tells)
create function saga_fence_7(in_owner text, in_shards integer[], in_epochs bigint[], in_before_lsns bigint[],
                             in_last_lsns bigint[], in_published_lsns bigint[])
    returns void language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    moved bigint;
    one   record;
begin
    update shard
       set last_lsn = u.last_lsn, published_lsn = greatest(shard.published_lsn, u.published_lsn)
      from unnest(in_shards, in_epochs, in_before_lsns, in_last_lsns, in_published_lsns)
           as u (id, epoch, before_lsn, last_lsn, published_lsn)
     where shard.id = u.id and shard.epoch = u.epoch and shard.last_lsn = u.before_lsn and u.last_lsn > u.before_lsn
       and (in_owner = '' or shard.owner = in_owner);
    get diagnostics moved = row_count;
    if moved = cardinality(in_shards) then
        return;
    end if;
    for one in
        select u.id, u.epoch, u.before_lsn, shard.epoch as found_epoch, shard.last_lsn as found_lsn, shard.owner
          from unnest(in_shards, in_epochs, in_before_lsns) as u (id, epoch, before_lsn)
               left join shard on shard.id = u.id
    loop
        if one.found_epoch < one.epoch or (one.found_epoch = one.epoch and one.found_lsn < one.before_lsn) then
            raise exception using errcode = 'SG002', message =
                format('the database has lost commits: shard %s is at %s of epoch %s, the batch follows %s of epoch %s',
                       one.id, one.found_lsn, one.found_epoch, one.before_lsn, one.epoch);
        elsif one.found_epoch is distinct from one.epoch or (in_owner <> '' and one.owner is distinct from in_owner) then
            raise exception using errcode = 'SG001', message =
                format('another engine owns shard %s (epoch %s, now %s)', one.id, one.epoch,
                       coalesce(one.found_epoch::text, 'none'));
        end if;
    end loop;
    raise exception using errcode = 'SG002', message = 'the batch does not follow last_lsn of its shards';
end $$;

-- Dead letters of a batch, each once per message, within the bounds of its shard (0: none). How many went to make room.
create function saga_bury_7(
    dead_at timestamptz[], dead_shards integer[], dead_reasons text[], dead_subjects text[], dead_sagas text[],
    dead_commands text[], dead_headers json[], dead_bodies bytea[], dead_messages text[], dead_classes text[],
    most_letters bigint, most_bytes bigint)
    returns bigint language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    one  record;
    gone bigint := 0;
begin
    with letter as (
        insert into dead_letter as kept (at, shard, reason, subject, saga, command, headers, body, message, class)
        select dead_at[i], dead_shards[i], dead_reasons[i], dead_subjects[i], dead_sagas[i], dead_commands[i],
               dead_headers[i], dead_bodies[i], dead_messages[i], dead_classes[i]
          from generate_series(1, cardinality(dead_at)) as i
            on conflict (message) do nothing
        returning kept.shard, kept.class, kept.number,
                  octet_length(kept.body) + octet_length(kept.headers::text) + octet_length(kept.reason) as bytes
    ), place as (
        insert into dead_letter_place (shard, class, number, bytes) select shard, class, number, bytes from letter
    )
    insert into dead_letter_tally as tally (shard, class, letters, bytes)
    select shard, class, count(*), sum(bytes)::bigint from letter group by shard, class order by shard, class
        on conflict (shard, class) do update
           set letters = tally.letters + excluded.letters, bytes = tally.bytes + excluded.bytes;
    for one in select distinct dead_shards[i] as shard from generate_series(1, cardinality(dead_at)) as i loop
        gone := gone + saga_make_room_7(one.shard, most_letters, most_bytes);
    end loop;
    return gone;
end $$;

-- The oldest letters of a class go: `letters` of them, or as many as make up `bytes`. How many went.
create function saga_bury_no_more_7(in_shard integer, in_class text, letters bigint, bytes bigint)
    returns bigint language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    numbers bigint[];
    freed   bigint;
begin
    select array_agg(oldest.number), sum(oldest.bytes)::bigint
      into numbers, freed
      from (select first.number, first.bytes, sum(first.bytes) over (order by first.number)::bigint - first.bytes as before,
                   row_number() over (order by first.number) as place
              from (select place.number, place.bytes
                      from dead_letter_place as place
                     where place.shard = in_shard and place.class = in_class
                     order by place.number
                     limit 1000) as first) as oldest
     where oldest.place <= saga_bury_no_more_7.letters or oldest.before < saga_bury_no_more_7.bytes;
    if numbers is null then
        return 0;
    end if;
    delete from dead_letter where number = any (numbers);
    delete from dead_letter_place where shard = in_shard and class = in_class and number = any (numbers);
    update dead_letter_tally as tally
       set letters = tally.letters - cardinality(numbers), bytes = tally.bytes - freed
     where tally.shard = in_shard and tally.class = in_class;
    delete from dead_letter_tally as tally where tally.shard = in_shard and tally.class = in_class and tally.letters <= 0;
    return cardinality(numbers);
end $$;

-- A shard is brought within its bounds, the largest class first: by letters while there are too many, then by bytes. A bound
-- that was lowered is reached over some batches.
create function saga_make_room_7(in_shard integer, most_letters bigint, most_bytes bigint)
    returns bigint language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    total   record;
    largest record;
    went    bigint;
    gone    bigint := 0;
begin
    for turn in 1 .. 16 loop
        select sum(tally.letters)::bigint as letters, sum(tally.bytes)::bigint as bytes into total
          from dead_letter_tally as tally where tally.shard = in_shard;
        if most_letters > 0 and total.letters > most_letters then
            select class, letters into largest
              from dead_letter_tally where shard = in_shard order by letters desc, class limit 1;
            went := saga_bury_no_more_7(in_shard, largest.class,
                                        least(total.letters - most_letters, greatest(largest.letters / 8, 1)), 0::bigint);
        elsif most_bytes > 0 and total.bytes > most_bytes then
            select class, bytes into largest
              from dead_letter_tally where shard = in_shard order by bytes desc, class limit 1;
            went := saga_bury_no_more_7(in_shard, largest.class, 0::bigint,
                                        least(total.bytes - most_bytes, greatest(largest.bytes / 8, 1)));
        else
            exit;
        end if;
        exit when went = 0;
        gone := gone + went;
    end loop;
    return gone;
end $$;

-- Letters from before a time go, the oldest first, some at a time. How many went.
create function saga_forget_dead_7(in_before timestamptz, most integer)
    returns bigint language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    one  record;
    gone bigint := 0;
begin
    for one in
        with old as (
            delete from dead_letter
             where number in (select oldest.number
                                from (select letter.number, letter.at
                                        from dead_letter as letter order by letter.number limit most) as oldest
                               where oldest.at < in_before)
            returning number, shard, class
        ), place as (
            delete from dead_letter_place as place
             using old
             where place.shard = old.shard and place.class = old.class and place.number = old.number
            returning place.shard, place.class, place.bytes
        ), counted as (
            select count(*) as letters from old
        )
        select counted.letters as all_letters, place.shard, place.class, count(place.class) as letters,
               coalesce(sum(place.bytes), 0)::bigint as bytes
          from counted left join place on true
         group by counted.letters, place.shard, place.class
         order by place.shard, place.class
    loop
        gone := one.all_letters;
        update dead_letter_tally as tally
           set letters = tally.letters - one.letters, bytes = tally.bytes - one.bytes
         where tally.shard = one.shard and tally.class = one.class;
        delete from dead_letter_tally as tally
         where tally.shard = one.shard and tally.class = one.class and tally.letters <= 0;
    end loop;
    return gone;
end $$;

-- One batch, one transaction. new_: sagas whose first record is in the batch. old_: the others; a row that is missing, or
-- whose seq is not the batch's predecessor, fails with SG003. Arrays are read by subscript: PL/pgSQL holds them taken apart, so
-- that a subscript is one step. The rows of old_ are found by id first and updated at their place: a plain join is turned round
-- on tables that are believed to be empty, and reads all of saga for each batch; unnest would store each array as a table of its
-- own (a tenth of the whole cost). Gives
-- how many dead letters went to make room for those of the batch.
create function saga_append_7(
    in_owner text, in_shards integer[], in_epochs bigint[], in_before_lsns bigint[], in_last_lsns bigint[],
    in_published_lsns bigint[],
    new_ids uuid[], new_shards integer[], new_versions integer[], new_seqs bigint[], new_started timestamptz[],
    new_updated timestamptz[], new_ended timestamptz[], new_wakes timestamptz[], new_paused boolean[], new_definitions text[],
    new_hashes text[], new_statuses text[], new_waiting text[], new_reasons text[], new_keys text[], new_search jsonb[],
    new_parents uuid[],
    old_ids uuid[], old_before_seqs bigint[], old_seqs bigint[], old_updated timestamptz[], old_ended timestamptz[],
    old_wakes timestamptz[], old_paused boolean[], old_statuses text[], old_waiting text[], old_reasons text[],
    row_ids uuid[], row_seqs bigint[], row_at timestamptz[], row_lsns bigint[], row_shards integer[], row_attempts integer[],
    row_kinds text[], row_steps text[], row_data json[],
    dead_at timestamptz[], dead_shards integer[], dead_reasons text[], dead_subjects text[], dead_sagas text[],
    dead_commands text[], dead_headers json[], dead_bodies bytea[], dead_messages text[], dead_classes text[],
    dead_most_letters bigint, dead_most_bytes bigint)
    returns bigint language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    updated bigint;
    odd     text;
begin
    perform saga_fence_7(in_owner, in_shards, in_epochs, in_before_lsns, in_last_lsns, in_published_lsns);
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
          from (select found.place, old_before_seqs[i] as before_seq, old_seqs[i] as seq,
                        old_updated[i] as updated_at, old_ended[i] as ended_at,
                        old_wakes[i] as wake_at, old_paused[i] as paused, old_statuses[i] as status,
                        old_waiting[i] as waiting, old_reasons[i] as reason_code
                  from generate_series(1, cardinality(old_ids)) as i
                       cross join lateral (select one.ctid as place from saga as one where one.id = old_ids[i] offset 0)
                                       as found) as u
         where saga.ctid = u.place and saga.seq = u.before_seq;
        get diagnostics updated = row_count;
        if updated <> cardinality(old_ids) then
            select format('%s is at %s, the batch follows %s', u.id, coalesce(saga.seq::text, 'none'), u.before_seq)
              into odd
              from unnest(old_ids, old_before_seqs) as u (id, before_seq)
                   left join saga on saga.id = u.id
             where saga.seq is distinct from u.before_seq and saga.seq is distinct from old_seqs[array_position(old_ids, u.id)]
             limit 1;
            raise exception using errcode = 'SG003', message = 'a saga of the batch has no row, or one of another seq: '
                || coalesce(odd, 'unknown');
        end if;
    end if;
    insert into saga_journal (saga_id, seq, at, lsn, shard, attempt, kind, step, data)
    select row_ids[i], row_seqs[i], row_at[i], row_lsns[i], row_shards[i], row_attempts[i], row_kinds[i], row_steps[i],
           row_data[i]
      from generate_series(1, cardinality(row_ids)) as i;
    if cardinality(dead_at) > 0 then
        return saga_bury_7(dead_at, dead_shards, dead_reasons, dead_subjects, dead_sagas, dead_commands, dead_headers,
                           dead_bodies, dead_messages, dead_classes, dead_most_letters, dead_most_bytes);
    end if;
    return 0;
end $$;
