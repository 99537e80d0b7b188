-- Orders that wait for an outside party, levels of signatures, and what a document gets after its last signature.

-- Asked again when due, by whoever looks first. A row without due_at has been woken; the next answer that is none puts it back.
CREATE TABLE order_wait (
    order_id uuid PRIMARY KEY REFERENCES signing_order,
    since timestamptz NOT NULL,
    tries integer NOT NULL,
    reason text NOT NULL,
    due_at timestamptz
);
CREATE INDEX order_wait_due ON order_wait (due_at) WHERE due_at IS NOT NULL;

ALTER TABLE manifest ADD COLUMN signature_level text NOT NULL DEFAULT 'B-B' CHECK (signature_level IN ('B-B', 'B-LTA'));
ALTER TABLE manifest ALTER COLUMN signature_level DROP DEFAULT;
ALTER TABLE signing_order DROP CONSTRAINT signing_order_step_check;
ALTER TABLE signing_order ADD CONSTRAINT signing_order_step_check CHECK (step IN ('prepare', 'sign', 'finish'));

-- A token can't be made twice, so the first one that is stored is the one that is spliced in. `place` is 1 over the signatures,
-- 2 over the revocation data.
CREATE TABLE time_stamp (
    order_id uuid NOT NULL REFERENCES signing_order,
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    place integer NOT NULL CHECK (place IN (1, 2)),
    imprint bytea NOT NULL,
    token bytea NOT NULL,
    stamped_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, transcript_id, place)
);
CREATE TRIGGER time_stamp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON time_stamp EXECUTE FUNCTION hocba_append_only();

-- The same for what the authorities said about all certificates of an order's documents.
CREATE TABLE validation_data (
    order_id uuid PRIMARY KEY REFERENCES signing_order,
    not_before timestamptz NOT NULL,
    certificates bytea[] NOT NULL,
    ocsps bytea[] NOT NULL,
    crls bytea[] NOT NULL,
    stored_at timestamptz NOT NULL
);
CREATE TRIGGER validation_data_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON validation_data EXECUTE FUNCTION hocba_append_only();

-- Documents that were finished after their last signature: what completes them, as `signature.completes` does for B-B.
CREATE TABLE finished_document (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    manifest_id uuid NOT NULL REFERENCES manifest,
    result_digest bytea NOT NULL,
    size bigint NOT NULL,
    pack text NOT NULL,
    pack_digest bytea NOT NULL,
    finished_at timestamptz NOT NULL,
    PRIMARY KEY (transcript_id, version)
);
CREATE TRIGGER finished_document_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON finished_document EXECUTE FUNCTION hocba_append_only();

GRANT SELECT, INSERT, UPDATE, DELETE ON order_wait TO hocba_signing;
GRANT SELECT, INSERT ON time_stamp, validation_data, finished_document TO hocba_signing;
