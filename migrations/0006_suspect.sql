-- serves: 2
-- Messages that were in hand, alone, after their shard had changed hands, and whose hands those were: engines' incarnations, each
-- with the shard's epoch. A row goes once its message is dealt with.
create table suspect (
    message text        not null primary key, -- as in dead_letter
    hands   text[]      not null,
    at      timestamptz not null
);
