-- Orders wait for their province's turn before they go to the workers, so that a province with ten thousand pupils doesn't stand in
-- front of another one's single class. Express orders go at once.

-- `cost` is the number of documents. An order is in flight from its release until the worker has let go of its message: whether it is
-- done then or waits for somebody outside, its room is free again. `fixed_at`, the signing time, is set by the (first) release.
ALTER TABLE signing_order
    ADD COLUMN province_id text,
    ADD COLUMN cost integer,
    ADD COLUMN express boolean NOT NULL DEFAULT false,
    ADD COLUMN in_flight boolean NOT NULL DEFAULT false,
    ADD COLUMN queued_at timestamptz,
    ALTER COLUMN released_at DROP NOT NULL,
    ALTER COLUMN fixed_at DROP NOT NULL,
    DROP CONSTRAINT signing_order_state_check,
    ADD CONSTRAINT signing_order_state_check CHECK (state IN ('queued', 'released', 'done', 'cancelled'));
UPDATE signing_order AS o SET province_id = c.province_id, queued_at = o.released_at,
    cost = greatest(1, (SELECT count(*) FROM order_line AS l WHERE l.order_id = o.order_id))
FROM school_class AS c WHERE c.class_id = o.class_id;
ALTER TABLE signing_order
    ALTER COLUMN province_id SET NOT NULL,
    ALTER COLUMN queued_at SET NOT NULL,
    ALTER COLUMN cost SET NOT NULL,
    ALTER COLUMN express DROP DEFAULT,
    ADD CONSTRAINT a_release_fixes_the_time CHECK (state IN ('queued', 'cancelled') OR fixed_at IS NOT NULL),
    ADD CONSTRAINT costs_something CHECK (cost > 0);
CREATE INDEX signing_order_queue ON signing_order (province_id, queued_at, order_id) INCLUDE (cost) WHERE state = 'queued';
CREATE INDEX signing_order_in_flight ON signing_order (express) INCLUDE (cost) WHERE state = 'released' AND in_flight;

-- Where the round stands (deficit round robin): what each province was granted and hasn't used, and whose turn was the last.
CREATE TABLE province_turn (
    province_id text PRIMARY KEY,
    unused integer NOT NULL DEFAULT 0,
    last boolean NOT NULL DEFAULT false
);

-- What scaling and operators look at: orders and documents that wait or are with the workers.
CREATE VIEW order_backlog AS
SELECT CASE WHEN express THEN 'express' ELSE 'mass' END AS lane, state, count(*) AS orders, sum(cost) AS documents
FROM signing_order WHERE state = 'queued' OR (state = 'released' AND in_flight) GROUP BY express, state;

GRANT SELECT, INSERT, UPDATE ON province_turn TO hocba_signing;
GRANT SELECT ON order_backlog TO hocba_signing;
