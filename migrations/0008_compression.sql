-- serves: 2
-- Large payloads are compressed with lz4 where the server has it. The default, pglz, takes 40 ms of a core for each MiB, ten
-- times what everything else about it costs: with a few sagas of large payloads every other saga waits for it. Applies to
-- rows from now on; a server built without lz4 goes on as it was.
do $$ begin
    alter table saga_journal alter column data set compression lz4;
    alter table dead_letter alter column body set compression lz4;
exception when feature_not_supported then
    raise notice 'this PostgreSQL has no lz4: payloads are compressed with pglz';
end $$;
