-- Signature values that can't be made twice alike, and the requests to homes of keys that answer later.
-- State: waiting (nothing was sent, or no agent has come), confirming (a person is asked), signing (the digests went out, or may
-- have: only asked about from here on), done, failed (told why), lost (nobody can tell what became of it), cancelled (the manifest ended).

CREATE TABLE remote_request (
    request_id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES signing_order,
    manifest_id uuid NOT NULL REFERENCES manifest,
    class_id uuid NOT NULL REFERENCES school_class,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    role text NOT NULL,
    home text NOT NULL,
    key_name text NOT NULL,
    certificate_sha256 bytea NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'confirming', 'signing', 'done', 'failed', 'lost', 'cancelled')),
    reference text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX remote_request_due ON remote_request (due_at) WHERE state IN ('waiting', 'confirming', 'signing');
CREATE INDEX remote_request_open_by_certificate ON remote_request (certificate_sha256) WHERE state IN ('waiting', 'confirming', 'signing');
CREATE INDEX remote_request_by_order ON remote_request (order_id);

-- An intent is asked for once: after a request that came to nothing it is void, and another intent takes its place.
CREATE TABLE remote_item (
    intent_id uuid PRIMARY KEY REFERENCES intent,
    request_id uuid NOT NULL REFERENCES remote_request,
    position integer NOT NULL
);
CREATE INDEX remote_item_by_request ON remote_item (request_id, position);

-- The first value that came for an intent; it is what gets spliced in, however often the order is done.
CREATE TABLE signature_value (
    intent_id uuid PRIMARY KEY REFERENCES intent,
    request_id uuid REFERENCES remote_request,
    value bytea NOT NULL,
    stored_at timestamptz NOT NULL
);
CREATE TRIGGER signature_value_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON signature_value EXECUTE FUNCTION hocba_append_only();

-- Part of the void register: values that a key made and that nobody will ever see, by their SHA-256.
CREATE TABLE void_value (
    intent_id uuid NOT NULL REFERENCES intent,
    value_sha256 bytea NOT NULL,
    request_id uuid REFERENCES remote_request,
    reason text NOT NULL,
    voided_at timestamptz NOT NULL,
    PRIMARY KEY (intent_id, value_sha256)
);
CREATE TRIGGER void_value_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON void_value EXECUTE FUNCTION hocba_append_only();

ALTER TABLE remote_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE remote_request FORCE ROW LEVEL SECURITY;
CREATE POLICY by_scope ON remote_request USING (hocba_sees(school_id, province_id)) WITH CHECK (hocba_sees(school_id, province_id));

GRANT SELECT, INSERT, UPDATE ON remote_request TO hocba_signing;
GRANT SELECT, INSERT ON remote_item, signature_value, void_value TO hocba_signing;
