-- Definitions: written once, never changed.

-- name: definition_put
insert into definition (name, version, hash, bundle, enabled, created_at)
values ($1::text, $2::integer, $3::text, $4::text, $5::boolean,
        case when $6::timestamptz = 'epoch' then clock_timestamp() else $6 end)
    on conflict (name, version) do nothing

-- name: definition_hash
select hash from definition where name = $1::text and version = $2::integer

-- name: definitions
select name, version, hash, bundle, enabled, created_at
  from definition
 order by name, version
