-- The register becomes the leaves of a transparency log: a Merkle tree that grows in batches takes the place of the hash chain,
-- so admissions no longer wait for each other. Lines keep their numbers and statements; their place in the log is given to them once.

ALTER TABLE register RENAME TO leaves;
ALTER TABLE leaves RENAME COLUMN register_index TO leaf_id;
ALTER TABLE transcripts RENAME COLUMN register_index TO leaf_id;
ALTER TABLE sheets RENAME COLUMN register_index TO leaf_id;
DROP TRIGGER register_is_written_once ON leaves;
ALTER TABLE leaves
    DROP COLUMN hash,
    ADD COLUMN log_index bigint UNIQUE CHECK (log_index >= 0);
CREATE INDEX leaves_waiting ON leaves (leaf_id) WHERE log_index IS NULL;
DROP TABLE register_head;
DROP FUNCTION register_head_moves_forward();

-- Numbers are taken before the rows are written, so an admission that fails leaves a gap. The log itself has none.
CREATE SEQUENCE leaf_numbers OWNED BY leaves.leaf_id;
SELECT setval('leaf_numbers', (SELECT coalesce(max(leaf_id), 0) + 1 FROM leaves), false);
GRANT USAGE ON SEQUENCE leaf_numbers TO hocba_archive;

CREATE FUNCTION a_leaf_gets_its_place_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.log_index IS NULL AND NEW.log_index IS NOT NULL AND (NEW.leaf_id, NEW.statement) = (OLD.leaf_id, OLD.statement) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a leaf is written once and placed once' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER a_leaf_gets_its_place_once BEFORE UPDATE ON leaves FOR EACH ROW EXECUTE FUNCTION a_leaf_gets_its_place_once();
CREATE TRIGGER leaves_are_written_once BEFORE DELETE OR TRUNCATE ON leaves FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT UPDATE (log_index) ON leaves TO hocba_archive;

-- One row. `epoch` is raised by each process that takes over; who holds an older one can no longer move anything.
-- sequenced: leaves with a place; signed: size of the newest signed checkpoint; published: size of the newest final one.
CREATE TABLE log_head (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    epoch bigint NOT NULL,
    sequenced bigint NOT NULL,
    signed bigint NOT NULL,
    published bigint NOT NULL,
    CHECK (published <= signed AND signed <= sequenced)
);
INSERT INTO log_head (epoch, sequenced, signed, published) VALUES (0, 0, 0, 0);
CREATE FUNCTION the_log_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.epoch < OLD.epoch OR NEW.sequenced < OLD.sequenced OR NEW.signed < OLD.signed OR NEW.published < OLD.published THEN
        RAISE EXCEPTION 'the log only grows' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER the_log_only_grows BEFORE UPDATE OR DELETE ON log_head FOR EACH ROW EXECUTE FUNCTION the_log_only_grows();
CREATE TRIGGER log_head_stays BEFORE TRUNCATE ON log_head FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only();
GRANT SELECT, UPDATE (epoch, sequenced, signed, published) ON log_head TO hocba_archive;

-- Every checkpoint that was ever signed: two of one size can't stand side by side.
CREATE TABLE checkpoints (
    size bigint PRIMARY KEY CHECK (size > 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note bytea NOT NULL,
    signed_at timestamptz NOT NULL
);
CREATE TABLE cosignatures (
    size bigint NOT NULL REFERENCES checkpoints,
    witness text NOT NULL,
    line text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (size, witness)
);
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['checkpoints', 'cosignatures'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION hocba_append_only()',
            name || '_are_written_once', name);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hocba_archive', name);
    END LOOP;
END
$$;
