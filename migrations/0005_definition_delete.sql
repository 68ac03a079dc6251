-- serves: 2
-- Versions that no saga has used can be taken out. An engine that has not heard yet that a version was disabled may still start
-- sagas of it, so some time must have passed since.
alter table definition add column disabled_at timestamptz; -- null: it is enabled, or was disabled by an older program

-- What stands in the way, or 'deleted'.
create function saga_definition_delete_5(its_name text, its_version integer) returns text language plpgsql as $$
declare
    row definition;
begin
    select * into row from definition where name = its_name and version = its_version for update;
    if not found then
        return 'missing';
    elsif row.enabled then
        return 'enabled';
    elsif coalesce(row.disabled_at, row.created_at) > clock_timestamp() - interval '1 minute' then
        return 'fresh';
    elsif exists (select from saga where definition = its_name and version = its_version) then
        return 'used';
    end if;
    delete from definition where name = its_name and version = its_version;
    return 'deleted';
end $$;
