-- Pictures of handwritten signatures and seals. Each is kept once; a certificate has the one that was registered last, an approval the one
-- that its signer had then, and an intent says which one will be on the page.

CREATE TABLE signature_image (
    school_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    province_id text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    dots bytea NOT NULL CHECK (octet_length(dots) <= 8192),
    kept_at timestamptz NOT NULL,
    PRIMARY KEY (school_id, digest)
);
CREATE TRIGGER signature_image_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON signature_image EXECUTE FUNCTION hocba_append_only();
ALTER TABLE signature_image ENABLE ROW LEVEL SECURITY;
ALTER TABLE signature_image FORCE ROW LEVEL SECURITY;
CREATE POLICY by_scope ON signature_image USING (hocba_sees(school_id, province_id)) WITH CHECK (hocba_sees(school_id, province_id));
GRANT SELECT, INSERT ON signature_image TO hocba_signing;

-- Empty: no picture.
ALTER TABLE certificate ADD COLUMN image_digest bytea NOT NULL DEFAULT '';
ALTER TABLE approval ADD COLUMN image_digest bytea NOT NULL DEFAULT '';
ALTER TABLE intent ADD COLUMN image_digest bytea NOT NULL DEFAULT '';
