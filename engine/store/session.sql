-- What a connection needs before it is used, and the bookkeeping of migrations.

-- name: session
-- Limits in milliseconds. A commit that is acknowledged must be durable, whatever the server's default is. Plans: every
-- statement of this program is answered by an index, also on the day the tables are new and the statistics say that they are
-- empty, when the planner would keep a walk through the whole table as the plan for the session's life.
select set_config('statement_timeout', $1::text, false),
       set_config('lock_timeout', $2::text, false),
       set_config('idle_in_transaction_session_timeout', $1::text, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('jit', 'off', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false),
       set_config('enable_memoize', 'off', false),
       set_config('client_min_messages', 'error', false),
       set_config('synchronous_commit',
                  case current_setting('synchronous_commit') when 'off' then 'on'
                                                             else current_setting('synchronous_commit') end, false)

-- name: backend
select backend_start from pg_stat_activity where pid = pg_backend_pid()

-- name: end_backend
-- Ends the backend of a connection that was lost, and waits for it: only then is the outcome of its transaction certain.
-- backend_start tells it from a later process with the same number.
select pg_terminate_backend(pid, $3::bigint)
  from pg_stat_activity
 where pid = $1::integer and backend_start = $2::timestamptz

-- name: begin_now
begin

-- name: commit_now
commit

-- name: rollback
rollback

-- name: migration_exists
select to_regclass('migration') is not null

-- name: migrations
-- A database that no program of today has migrated yet lacks `serves`; null is one version ahead.
select number, name, checksum, coalesce((to_jsonb(migration) ->> 'serves')::integer, number - 1)
  from migration
 order by number

-- name: schema
-- The newest migration, and the oldest program that all of them serve. Asked for with each lease.
select number, name, checksum, (select max(coalesce((to_jsonb(each) ->> 'serves')::integer, number - 1)) from migration as each)
  from migration
 order by number desc
 limit 1

-- name: migration_lock
-- Any number, always the same: one program migrates at a time.
select pg_advisory_xact_lock(7234210053191)

-- name: migration_patience
-- Of this transaction from here on: who waits for a table's lock lets everybody else wait for it.
select set_config('lock_timeout', $1::text, true)

-- name: migration_table
-- Nothing is locked that is as it should be: running engines read this table.
do $$ begin
    create table if not exists migration (
        number     integer     not null primary key,
        name       text        not null,
        checksum   text        not null,
        applied_at timestamptz not null default clock_timestamp()
    );
    if not exists (select from pg_attribute where attrelid = 'migration'::regclass and attname = 'serves') then
        alter table migration add column serves integer;
    end if;
end $$

-- name: migration_note
insert into migration (number, name, checksum, serves) values ($1::integer, $2::text, $3::text, $4::integer)

-- name: make_shards
insert into shard (id)
select generate_series(0, $1::integer - 1)
 where not exists (select from shard)
