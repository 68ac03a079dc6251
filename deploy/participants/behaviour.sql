-- How a demo participant misbehaves on request: rules that are used up as commands match them, oldest first.
CREATE TABLE IF NOT EXISTS behaviour (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action   text,              -- null: any
    order_id text,              -- null: any
    what     text NOT NULL CHECK (what IN ('reject', 'retry', 'slow', 'pending', 'twice', 'silent', 'die-before', 'die-after')),
    times    integer NOT NULL DEFAULT 1 CHECK (times >= 0),
    delay_ms integer NOT NULL DEFAULT 0 CHECK (delay_ms BETWEEN 0 AND 3600000),
    code     text,
    message  text
);

-- Takes one use of the oldest rule that fits; no row when there is none. A transaction of its own, so that a death after it has
-- counted.
CREATE OR REPLACE FUNCTION behaviour_take(of_action text, of_order text)
RETURNS TABLE (what text, delay_ms integer, code text, message text) LANGUAGE sql AS $$
    UPDATE behaviour b SET times = b.times - 1
    WHERE b.id = (SELECT c.id FROM behaviour c
                  WHERE c.times > 0 AND (c.action IS NULL OR c.action = of_action) AND (c.order_id IS NULL OR c.order_id = of_order)
                  ORDER BY c.id LIMIT 1 FOR UPDATE)
    RETURNING b.what, b.delay_ms, b.code, b.message
$$;
