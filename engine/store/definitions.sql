-- Definitions: written once, never changed but for `enabled`.

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
