-- Messages that may have ended an engine.

-- name: suspect
insert into suspect as known (message, hands, at) values ($1::text, array[$2::text], clock_timestamp())
on conflict (message) do update
   set hands = case when $2::text = any (known.hands) then known.hands else known.hands || $2::text end, at = clock_timestamp()
returning cardinality(hands)

-- name: suspect_clear
delete from suspect where message = $1::text or at < clock_timestamp() - interval '1 day'
