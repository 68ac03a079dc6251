-- What shipping knows: which parcel goes where.
CREATE TABLE IF NOT EXISTS shipment (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    saga_key text NOT NULL UNIQUE,
    order_id text,
    address  text NOT NULL,
    voided   boolean NOT NULL DEFAULT false
);

-- {order, address} -> {tracking}; to the address "nowhere" nothing can be sent.
CREATE OR REPLACE FUNCTION shipping_ship(of_key text, input json, OUT status text, OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
BEGIN
    status := 'rejected';
    IF input ->> 'address' IS NULL THEN
        code := 'BAD_INPUT';
        message := 'needs an address';
        RETURN;
    END IF;
    IF input ->> 'address' ~* '^\s*nowhere\s*$' THEN
        code := 'UNDELIVERABLE';
        message := 'no carrier goes to ' || (input ->> 'address');
        RETURN;
    END IF;
    INSERT INTO shipment (saga_key, order_id, address) VALUES (of_key, input ->> 'order', input ->> 'address') RETURNING id INTO number;
    status := 'ok';
    body := json_build_object('tracking', 'trk-' || number);
END
$$;

-- {order, tracking or null} -> {voided}
CREATE OR REPLACE FUNCTION shipping_void(of_key text, input json, OUT status text, OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    back shipment;
BEGIN
    UPDATE shipment s SET voided = true WHERE s.saga_key = of_key AND NOT s.voided RETURNING * INTO STRICT back;
    status := 'ok';
    body := json_build_object('voided', 'trk-' || back.id);
END
$$;
