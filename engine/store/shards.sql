-- Shards: leases and fences, all on the database's clock.

-- name: shard_count
select count(*)::integer from shard

-- name: engine_key
select key from engine_key

-- name: now
select clock_timestamp()

-- name: claim
-- Own shards first, then free and expired ones, and those whose lease ends later than a lease may (10 minutes): it was granted
-- while the clock was ahead. A row locked by somebody's batch is passed over: its owner lives.
update shard
   set owner = $1::text, epoch = epoch + 1, lease_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
 where id in (select id
                from shard
               where owner is null or owner = $1 or lease_until <= clock_timestamp()
                  or lease_until > clock_timestamp() + interval '11 minutes'
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
