-- Engines: who runs under which name. All on the database's clock.

-- name: enter
-- Nothing changes while another incarnation of the name lives. A session says whose it is by its application_name, which every
-- user may read.
insert into instance as other (name, incarnation, address, version, since, beat_at, lease_until, bus_since)
values ($1::text, $2::text, $3::text, $4::text, now(), now(), clock_timestamp() + $5::bigint * interval '1 microsecond',
        case when $6::bigint >= 0 then clock_timestamp() - $6::bigint * interval '1 microsecond' end)
on conflict (name) do update
   set incarnation = excluded.incarnation, address = excluded.address, version = excluded.version,
       since = case when other.incarnation = excluded.incarnation then other.since else excluded.since end,
       beat_at = excluded.beat_at, lease_until = excluded.lease_until, bus_since = excluded.bus_since
 where other.incarnation = excluded.incarnation or other.lease_until <= clock_timestamp()
    or not exists (select from pg_stat_activity
                    where datname = current_database()
                      and left(application_name, length('sagad ' || other.incarnation)) = 'sagad ' || other.incarnation)

-- name: enter_shards
-- Right after a first `enter`: what was held in this name before is free. A row that a last batch of the predecessor has locked
-- is left to its lease.
update shard
   set owner = null, lease_until = null
 where id in (select id
                from shard
               where left(owner, length($1::text) + 1) = $1 || '#' and right(owner, length($2::text) + 1) <> '/' || $2
                 and exists (select from instance where name = $1 and incarnation = $2 and since = beat_at)
                 for update skip locked)

-- name: enter_tidy
-- Engines that were not stopped in order and did not come back.
delete from instance
 where lease_until < clock_timestamp() - interval '1 day'

-- name: enter_look
-- Who has the name, and how many others could take over: they live, and their bus has worked for a lease.
select incarnation = $2::text, beat_at, (extract(epoch from clock_timestamp() - beat_at) * 1000000)::bigint,
       (select count(*)::integer
          from instance as peer
         where peer.name <> $1 and peer.lease_until > clock_timestamp()
           and peer.bus_since <= clock_timestamp() - $3::bigint * interval '1 microsecond'),
       to_char(since at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'), address
  from instance
 where name = $1::text

-- name: leave
delete from instance where name = $1::text and incarnation = $2::text
