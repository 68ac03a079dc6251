-- serves: 2
-- The key by which engines know each other's messages (runtime/proof.h): who has it may command any saga.
--
-- One row, made here, the same for all engines of this database. The randomness is the server's own (its uuids of version 4
-- hold 122 bits each from the operating system), hashed so that no bit of a uuid is fixed. Only the owner of the tables, whom
-- engines connect as, may read it: a role for dashboards is granted tables by name, never pg_read_all_data.

create table engine_key (
    single boolean not null primary key default true check (single),
    key    bytea   not null check (octet_length(key) = 32)
);
revoke all on engine_key from public;

insert into engine_key (key)
select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
