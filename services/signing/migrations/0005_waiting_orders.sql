-- Orders that wait for an outside party (revocation, time stamps): asked again when due, by whoever looks first.
-- A row without due_at has been woken; the next answer that is none puts it back.

CREATE TABLE order_wait (
    order_id uuid PRIMARY KEY REFERENCES signing_order,
    since timestamptz NOT NULL,
    tries integer NOT NULL,
    reason text NOT NULL,
    due_at timestamptz
);
CREATE INDEX order_wait_due ON order_wait (due_at) WHERE due_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON order_wait TO hocba_signing;
