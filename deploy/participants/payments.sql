-- What payments knows: who was charged what. Amounts keep their text: 19.90 is stored, shown and refunded as 19.90.
CREATE TABLE IF NOT EXISTS payment (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    saga_key text NOT NULL UNIQUE,
    order_id text,
    amount   numeric NOT NULL CHECK (amount >= 0),
    card     text,
    refunded boolean NOT NULL DEFAULT false
);

-- {order, amount, card} -> {payment, amount}; the card 4000-DECLINED is declined, 4000-EXPIRED has expired.
CREATE OR REPLACE FUNCTION payments_charge(of_key text, input json, OUT status text, OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    of_amount numeric;
    of_card text := input ->> 'card';
    number bigint;
BEGIN
    status := 'rejected';
    IF of_card IN ('4000-DECLINED', '4000-EXPIRED') THEN
        code := CASE of_card WHEN '4000-DECLINED' THEN 'CARD_DECLINED' ELSE 'CARD_EXPIRED' END;
        message := 'the bank refused the card ' || of_card;
        RETURN;
    END IF;
    IF json_typeof(input -> 'amount') = 'number' OR input ->> 'amount' ~ '^[0-9]{1,18}([.][0-9]{1,9})?$' THEN
        of_amount := (input ->> 'amount')::numeric;
    END IF;
    IF of_amount IS NULL OR of_amount < 0 THEN
        code := 'BAD_INPUT';
        message := 'needs an amount, 0 or more';
        RETURN;
    END IF;
    INSERT INTO payment (saga_key, order_id, amount, card) VALUES (of_key, input ->> 'order', of_amount, of_card)
    RETURNING id INTO number;
    status := 'ok';
    body := json_build_object('payment', 'pay-' || number, 'amount', input -> 'amount');
END
$$;

-- {order, payment or null} -> {refunded, amount}
CREATE OR REPLACE FUNCTION payments_refund(of_key text, input json, OUT status text, OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    back payment;
BEGIN
    UPDATE payment p SET refunded = true WHERE p.saga_key = of_key AND NOT p.refunded RETURNING * INTO STRICT back;
    status := 'ok';
    body := json_build_object('refunded', 'pay-' || back.id, 'amount', back.amount);
END
$$;
