-- serves: 2
-- The dead letters of one saga are shown with it, so they must be found without reading those of all others.
create index dead_letter_saga on dead_letter (saga) where saga <> '';
