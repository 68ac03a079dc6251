-- serves: 2
-- Engines know each other: one row for each name, kept alive together with the leases of shards.
--
-- An incarnation is one start of an engine; it stands in the owner of its shards (name#runner/incarnation) and in the
-- application_name of its sessions. An engine lives while its lease is not over and it has a session: so a second engine of the
-- same name is refused while the first one lives, and one that was killed is followed at once, without waiting for its lease.
-- bus_since: since when its connection to NATS stands; null: it does not.
create table instance (
    name        text        not null primary key,
    incarnation text        not null,
    address     text        not null,               -- for people: where it runs, and its HTTP API
    version     text        not null,
    since       timestamptz not null,
    beat_at     timestamptz not null,               -- it was last heard
    lease_until timestamptz not null,
    bus_since   timestamptz
) with (fillfactor = 20);
