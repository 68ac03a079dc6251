-- name: make
set client_min_messages = warning;
drop table if exists floor_saga, floor_journal;
create table floor_saga (id bigint primary key, seq int not null, status text not null, changed timestamptz not null) with (fillfactor = 70);
create table floor_journal (saga bigint not null, seq int not null, at timestamptz not null, data text not null, primary key (saga, seq));
-- name: journal
insert into floor_journal select s, q, now(), $3 from unnest($1::bigint[], $2::int[]) as t(s, q)
-- name: begin
insert into floor_saga select s, 1, 'running', now() from unnest($1::bigint[]) as t(s)
-- name: update
update floor_saga set seq = q, status = case when q > 3 then 'completed' else 'running' end, changed = now()
from unnest($1::bigint[], $2::int[]) as t(s, q) where id = s
