-- Evidence over decades (RFC 4998): admitted documents gather in batches, a time stamp vouches for each batch, and is renewed.
-- Documents are known by their digests alone here, so no row is personal and none needs row-level security.

-- A document waits until it has its place in a batch, which it gets once.
CREATE TABLE evidence_batches (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    documents integer NOT NULL CHECK (documents BETWEEN 1 AND 10000),
    oldest timestamptz NOT NULL,
    cut_at timestamptz NOT NULL
);
CREATE TABLE evidence_documents (
    sha256 bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    admitted_at timestamptz NOT NULL,
    batch_id bigint REFERENCES evidence_batches,
    place integer,
    UNIQUE (batch_id, place),
    CHECK ((batch_id IS NULL) = (place IS NULL))
);
CREATE INDEX evidence_waiting ON evidence_documents (admitted_at, sha256) WHERE batch_id IS NULL;
CREATE FUNCTION a_document_gets_its_batch_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.batch_id IS NULL AND NEW.batch_id IS NOT NULL AND (NEW.sha256, NEW.admitted_at) = (OLD.sha256, OLD.admitted_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a document is put into a batch once' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER a_document_gets_its_batch_once BEFORE UPDATE ON evidence_documents FOR EACH ROW EXECUTE FUNCTION a_document_gets_its_batch_once();
CREATE TRIGGER evidence_documents_stay BEFORE DELETE OR TRUNCATE ON evidence_documents FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, INSERT, UPDATE (batch_id, place) ON evidence_documents TO hocba_archive;

-- One hash tree and what a time stamp is asked for: recorded before it is asked, so that a repeat asks the same. Its first token stays.
CREATE TABLE evidence_stamps (
    stamp_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    algorithm text NOT NULL,
    imprint bytea NOT NULL,
    asked_at timestamptz NOT NULL,
    token bytea,
    stamped_at timestamptz,
    good_until timestamptz,
    stored_at timestamptz,
    CHECK (num_nulls(token, stamped_at, good_until, stored_at) IN (0, 4))
);
CREATE INDEX evidence_unstamped ON evidence_stamps (stamp_id) WHERE token IS NULL;
CREATE FUNCTION a_stamp_gets_its_token_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.token IS NULL AND NEW.token IS NOT NULL AND (NEW.stamp_id, NEW.algorithm, NEW.imprint, NEW.asked_at) = (OLD.stamp_id, OLD.algorithm, OLD.imprint, OLD.asked_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a time stamp is written once' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER a_stamp_gets_its_token_once BEFORE UPDATE ON evidence_stamps FOR EACH ROW EXECUTE FUNCTION a_stamp_gets_its_token_once();
CREATE TRIGGER evidence_stamps_stay BEFORE DELETE OR TRUNCATE ON evidence_stamps FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, INSERT, UPDATE (token, stamped_at, good_until, stored_at) ON evidence_stamps TO hocba_archive;
-- Chains and the time stamps in them, both from 1, as a record holds them. (1, 1) is over the batch's documents; a later stamp of a
-- chain is over digests of many batches' tokens, of which `leaf` is this batch's; the first stamp of a later chain over evidence_leaves.
CREATE TABLE evidence_members (
    batch_id bigint NOT NULL REFERENCES evidence_batches,
    chain integer NOT NULL CHECK (chain > 0),
    position integer NOT NULL CHECK (position > 0),
    stamp_id bigint NOT NULL REFERENCES evidence_stamps,
    place integer NOT NULL CHECK (place >= 0),
    leaf bytea NOT NULL,
    PRIMARY KEY (batch_id, chain, position),
    CONSTRAINT one_leaf_per_place UNIQUE (stamp_id, place)
);
-- What the renewal of a batch's tree is over: a leaf per document, which binds all that came before `after_stamp` and it.
CREATE TABLE evidence_leaves (
    batch_id bigint NOT NULL REFERENCES evidence_batches,
    after_stamp bigint NOT NULL REFERENCES evidence_stamps,
    algorithm text NOT NULL,
    place integer NOT NULL,
    leaf bytea NOT NULL,
    PRIMARY KEY (batch_id, after_stamp, algorithm, place)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['evidence_batches', 'evidence_members', 'evidence_leaves'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only()',
            name || '_are_written_once', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_archive', name);
    END LOOP;
END
$$;

-- In the transaction that admits it: nothing can be admitted and forgotten here.
CREATE FUNCTION a_document_wants_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evidence_documents (sha256, admitted_at) SELECT sha256, admitted_at FROM admitted;
    RETURN NULL;
END
$$;
CREATE TRIGGER a_transcript_wants_evidence AFTER INSERT ON transcripts REFERENCING NEW TABLE AS admitted
    FOR EACH STATEMENT EXECUTE FUNCTION a_document_wants_evidence();
CREATE TRIGGER a_sheet_wants_evidence AFTER INSERT ON sheets REFERENCING NEW TABLE AS admitted
    FOR EACH STATEMENT EXECUTE FUNCTION a_document_wants_evidence();

-- What was admitted before there was evidence gets it from now on, so its wait begins now.
SET LOCAL hocba.scope = 'system';
INSERT INTO evidence_documents (sha256, admitted_at) SELECT sha256, now() FROM transcripts UNION SELECT sha256, now() FROM sheets;
