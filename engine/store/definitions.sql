-- Definitions: written once, never changed but for `enabled`.

-- name: definition_put
insert into definition (name, version, hash, bundle, enabled, created_at)
values ($1::text, $2::integer, $3::text, $4::text, $5::boolean,
        case when $6::timestamptz = 'epoch' then clock_timestamp() else $6 end)
    on conflict (name, version) do nothing

-- name: definition_hash
select hash from definition where name = $1::text and version = $2::integer

-- name: definition_enable
update definition
   set enabled = $3::boolean,
       disabled_at = case when $3::boolean then null when enabled then clock_timestamp() else disabled_at end
 where name = $1::text and version = $2::integer
returning version

-- name: definition_delete
select saga_definition_delete_5($1::text, $2::integer)

-- Without their texts, which are a thousand times as long: of one name, or of all ('').
-- name: definitions
select name, version, hash, '', enabled, created_at
  from definition
 where $1::text in (name, '')
 order by name, version

-- name: definition_get
select name, version, hash, bundle, enabled, created_at
  from definition
 where name = $1::text and version = $2::integer
