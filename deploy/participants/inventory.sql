-- What inventory knows: how much of each article is left, and who holds how much of it. An article nobody heard of before is stocked
-- with a million; "sold-out" never is.
CREATE TABLE IF NOT EXISTS stock (
    sku  text PRIMARY KEY,
    kept numeric NOT NULL CHECK (kept >= 0)
);
CREATE TABLE IF NOT EXISTS reservation (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    saga_key text NOT NULL UNIQUE,
    order_id text,
    sku      text NOT NULL REFERENCES stock,
    quantity numeric NOT NULL CHECK (quantity > 0),
    released boolean NOT NULL DEFAULT false
);
INSERT INTO stock VALUES ('sold-out', 0) ON CONFLICT DO NOTHING;

-- {order, sku, quantity} -> {reservation, left}
CREATE OR REPLACE FUNCTION inventory_reserve(of_key text, input json, OUT status text, OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    wanted numeric := CASE json_typeof(input -> 'quantity') WHEN 'number' THEN (input ->> 'quantity')::numeric END;
    of_sku text := CASE json_typeof(input -> 'sku') WHEN 'string' THEN input ->> 'sku' END;
    now_left numeric;
    number bigint;
BEGIN
    status := 'rejected';
    IF of_sku IS NULL OR wanted IS NULL OR wanted <= 0 THEN
        code := 'BAD_INPUT';
        message := 'needs a sku (text) and a quantity (number above 0)';
        RETURN;
    END IF;
    INSERT INTO stock VALUES (of_sku, 1000000) ON CONFLICT DO NOTHING;
    UPDATE stock s SET kept = s.kept - wanted WHERE s.sku = of_sku AND s.kept >= wanted RETURNING s.kept INTO now_left;
    IF NOT FOUND THEN
        code := 'SOLD_OUT';
        message := format('fewer than %s of %s are left', wanted, of_sku);
        RETURN;
    END IF;
    INSERT INTO reservation (saga_key, order_id, sku, quantity) VALUES (of_key, input ->> 'order', of_sku, wanted)
    RETURNING id INTO number;
    status := 'ok';
    body := json_build_object('reservation', 'res-' || number, 'left', now_left);
END
$$;

-- {order, reservation or null} -> {released}: the key finds it, so a null is as good.
CREATE OR REPLACE FUNCTION inventory_release(of_key text, input json, OUT status text, OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    back reservation;
BEGIN
    UPDATE reservation r SET released = true WHERE r.saga_key = of_key AND NOT r.released RETURNING * INTO STRICT back;
    UPDATE stock s SET kept = s.kept + back.quantity WHERE s.sku = back.sku;
    status := 'ok';
    body := json_build_object('released', 'res-' || back.id);
END
$$;
