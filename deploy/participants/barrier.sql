-- The barrier: what makes a participant idempotent by key, in one table.
--
-- A participant meets three anomalies, because messages may be lost, doubled or late:
--   1. the same command twice        the second must get the first one's answer and have no effect;
--   2. undo before do                there is nothing to undo, and the do, when it comes, must be refused;
--   3. do after undo                 the same late do, after a do that was undone: refused.
-- The cure is a row per (key, kind) written in the same transaction as the effect. Key is the header Saga-Key, the same over all
-- attempts of a step and for its do, undo and verify; kind is Saga-Kind, attempt is Saga-Attempt.
--
-- Use. Run this file once in the participant's own database (it may be run again). Handle each command in one transaction at READ
-- COMMITTED, PostgreSQL's default:
--
--     BEGIN;
--     SELECT * FROM saga_barrier_enter($key, $kind, $attempt);
--       verdict 'answer':  COMMIT, and reply with the status, code, message and body of that row;
--       verdict 'go':      do the work here, in this transaction; for an undo, `body` is what its do answered, so that an undo finds
--                          what to undo also when the engine never heard of it (a step in doubt);
--     SELECT saga_barrier_leave($key, $kind, $status, $code, $message, $body);
--     COMMIT;
--     reply, and only then acknowledge the command.
--
-- Any failure on the way: ROLLBACK and reply `retry` (or nothing at all); the command comes again and finds no trace. Answer `retry`
-- and `pending` without leaving: only a final answer is recorded. One limit follows: a do delivered twice may be answered `retry` once and
-- be done the second time. If that was the last attempt and its `ok` is lost, the engine takes the step for not done. Where this matters,
-- answer nothing instead of `retry`: what is unanswered counts as unknown and is verified or undone.
--
-- A `verify` is one statement: SELECT * FROM saga_barrier_verify($key). It gives the answer to send.
--
-- Two deliveries at the same moment: the insert of the second waits for the first one's transaction, so it sees either its answer or
-- nothing of it. A do and its undo at the same moment wait for one another in the same way, always on the row of the do first.
--
-- A rejection is recorded for the attempt that got it. A later attempt (an `errors:` rule that says retry, or an operator's retry) is
-- decided anew; an earlier one that was delayed is not.

CREATE TABLE IF NOT EXISTS saga_barrier (
    saga_key text NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('do', 'undo')),
    attempt  integer NOT NULL,
    status   text CHECK (status IN ('ok', 'rejected')),  -- null only inside the transaction that works on it
    code     text,
    message  text,
    body     json,                                       -- json, not jsonb: numbers and the order of keys keep their text
    closed   boolean NOT NULL DEFAULT false,             -- kind do: it did not happen, and never will
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (saga_key, kind)
);

-- May this command do its work? See the head of this file.
CREATE OR REPLACE FUNCTION saga_barrier_enter(of_key text, of_kind text, of_attempt integer, OUT verdict text, OUT status text,
                                              OUT code text, OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    done saga_barrier;
    undone saga_barrier;
BEGIN
    IF of_kind = 'do' THEN
        INSERT INTO saga_barrier (saga_key, kind, attempt) VALUES (of_key, 'do', of_attempt) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            verdict := 'go';
            RETURN;
        END IF;
        SELECT * INTO undone FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'undo';
        UPDATE saga_barrier b SET status = NULL, code = NULL, message = NULL, body = NULL, attempt = of_attempt
        WHERE b.saga_key = of_key AND b.kind = 'do' AND b.status = 'rejected' AND NOT b.closed AND b.attempt < of_attempt;
        IF FOUND THEN
            verdict := 'go';
            RETURN;
        END IF;
        verdict := 'answer';
        SELECT * INTO STRICT done FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'do';
        IF done.closed OR undone.saga_key IS NOT NULL THEN
            status := 'rejected';
            code := 'UNDONE';
            message := 'this step was undone, or reported as not done, before this command came';
        ELSE
            status := done.status;
            code := done.code;
            message := done.message;
            body := done.body;
        END IF;
        RETURN;
    ELSIF of_kind <> 'undo' THEN
        RAISE EXCEPTION 'the barrier knows the kinds do and undo, not "%"', of_kind;
    END IF;

    INSERT INTO saga_barrier (saga_key, kind, attempt, status, closed) VALUES (of_key, 'do', 0, 'rejected', true)
    ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT done FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'do' FOR UPDATE;
    INSERT INTO saga_barrier (saga_key, kind, attempt) VALUES (of_key, 'undo', of_attempt) ON CONFLICT DO NOTHING;
    IF FOUND AND done.status = 'ok' THEN
        verdict := 'go';
        body := done.body;
        RETURN;
    ELSIF FOUND THEN
        -- Nothing happened, so nothing is to be undone; and now nothing may happen any more.
        UPDATE saga_barrier b SET closed = true WHERE b.saga_key = of_key AND b.kind = 'do';
        UPDATE saga_barrier b SET status = 'ok' WHERE b.saga_key = of_key AND b.kind = 'undo';
    END IF;
    verdict := 'answer';
    SELECT * INTO STRICT undone FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'undo';
    status := undone.status;
    code := undone.code;
    message := undone.message;
    body := undone.body;
END
$$;

-- Records the final answer of a command that was let in. An undo that was rejected is not final: roll back instead, so that it can be
-- asked for again.
CREATE OR REPLACE FUNCTION saga_barrier_leave(of_key text, of_kind text, of_status text, of_code text, of_message text, of_body json)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE saga_barrier b SET status = of_status, code = of_code, message = of_message, body = of_body
    WHERE b.saga_key = of_key AND b.kind = of_kind AND b.status IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no command of kind % and key % is being worked on in this transaction', of_kind, of_key;
    END IF;
END
$$;

-- Did it happen? ok with the do's answer, or rejected. A no must stay true while the command may still be under way, so it closes the
-- key: a do that comes later is refused. A pivot step, whose attempts an operator may renew after a no, asks with close => false.
CREATE OR REPLACE FUNCTION saga_barrier_verify(of_key text, close boolean DEFAULT true, OUT status text, OUT code text,
                                               OUT message text, OUT body json)
LANGUAGE plpgsql AS $$
DECLARE
    done saga_barrier;
BEGIN
    INSERT INTO saga_barrier (saga_key, kind, attempt, status, closed) VALUES (of_key, 'do', 0, 'rejected', true)
    ON CONFLICT DO NOTHING;  -- waits for a do that is being worked on at this moment
    IF FOUND AND NOT close THEN
        DELETE FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'do';
    ELSIF close THEN
        UPDATE saga_barrier b SET closed = true WHERE b.saga_key = of_key AND b.kind = 'do' AND b.status = 'rejected';
    END IF;
    SELECT * INTO done FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'do';
    IF done.status = 'ok' AND NOT EXISTS (SELECT FROM saga_barrier b WHERE b.saga_key = of_key AND b.kind = 'undo') THEN
        status := 'ok';
        body := done.body;
    ELSE
        status := 'rejected';
        code := 'NOT_DONE';
        message := 'this step did not happen, or was undone';
    END IF;
END
$$;

-- Deletes what is older than any message can be; the number of rows that went. Choose an age well above the longest `timeout` of the
-- definitions that use this participant.
CREATE OR REPLACE FUNCTION saga_barrier_forget(age interval) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM saga_barrier WHERE at < clock_timestamp() - age RETURNING 1) SELECT count(*) FROM gone
$$;
