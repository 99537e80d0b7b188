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
CREATE INDEX signing_order_in_flight ON signing_order (express, released_at) INCLUDE (cost) WHERE state = 'released' AND in_flight;

-- Where the round stands (deficit round robin): what each province was granted and hasn't used, and whose turn was the last.
CREATE TABLE province_turn (
    province_id text PRIMARY KEY,
    unused integer NOT NULL DEFAULT 0,
    last boolean NOT NULL DEFAULT false
);

-- What scaling and operators look at: orders and documents that wait or are with the workers. What nobody let go of for an hour lies
-- behind a parked message, or is lost, and no further worker would help.
CREATE VIEW order_backlog AS
SELECT CASE WHEN express THEN 'express' ELSE 'mass' END AS lane, state, count(*) AS orders, sum(cost) AS documents
FROM signing_order WHERE state = 'queued' OR (state = 'released' AND in_flight AND released_at > now() - interval '1 hour') GROUP BY express, state;

GRANT SELECT, INSERT, UPDATE ON province_turn TO hocba_signing;
GRANT SELECT ON order_backlog TO hocba_signing;

-- Who signs in which order, whether records must name class-subject sheets, and in which roles deputies may approve: policy in force
-- when the pages were made.
ALTER TABLE manifest ADD COLUMN roles text[], ADD COLUMN sheets_required boolean NOT NULL DEFAULT false, ADD COLUMN deputies text[];
UPDATE manifest SET deputies = '{subject_teacher,homeroom_teacher,principal,school_seal}',
    roles = CASE kind WHEN 'sheet' THEN '{subject_teacher}' ELSE '{homeroom_teacher,principal,school_seal}' END::text[];
ALTER TABLE manifest ALTER COLUMN roles SET NOT NULL, ALTER COLUMN sheets_required DROP DEFAULT, ALTER COLUMN deputies SET NOT NULL,
    ADD CONSTRAINT somebody_signs CHECK (cardinality(roles) > 0);

-- How far each class is, counted again in every transaction that changes something of it, so that a question about a province adds up
-- classes and no pupils. Of each role: how many transcripts need it, carry it, and wait for it with an order under way (`ordered`).
CREATE TABLE class_progress (
    class_id uuid PRIMARY KEY REFERENCES school_class,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year integer NOT NULL,
    transcripts integer NOT NULL,
    prepared integer NOT NULL,
    completed integer NOT NULL,
    homeroom_teacher_needed integer NOT NULL,
    homeroom_teacher_signed integer NOT NULL,
    homeroom_teacher_turn integer NOT NULL,
    homeroom_teacher_ordered integer NOT NULL,
    principal_needed integer NOT NULL,
    principal_signed integer NOT NULL,
    principal_turn integer NOT NULL,
    principal_ordered integer NOT NULL,
    school_seal_needed integer NOT NULL,
    school_seal_signed integer NOT NULL,
    school_seal_turn integer NOT NULL,
    school_seal_ordered integer NOT NULL,
    subject_teacher_needed integer NOT NULL, -- class-subject sheets, all versions in force
    subject_teacher_signed integer NOT NULL,
    subject_teacher_turn integer NOT NULL,
    subject_teacher_ordered integer NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX class_progress_by_place ON class_progress (school_year, province_id, school_id);
CREATE INDEX class_progress_by_school ON class_progress (school_id);

-- Why documents of a class don't go on: `waiting` goes on by itself, `failed` needs somebody.
CREATE TABLE class_reason (
    class_id uuid NOT NULL REFERENCES school_class,
    waiting boolean NOT NULL,
    code text NOT NULL,
    school_id uuid NOT NULL,
    province_id text NOT NULL,
    school_year integer NOT NULL,
    documents integer NOT NULL,
    PRIMARY KEY (class_id, waiting, code)
);
CREATE INDEX class_reason_by_place ON class_reason (school_year, province_id, school_id);
CREATE INDEX transcript_failed ON transcript (province_id, school_id, class_id, transcript_id, version) WHERE failure <> '';

DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['class_progress', 'class_reason'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format(
            'CREATE POLICY by_scope ON %I USING (hocba_sees(school_id, province_id)) WITH CHECK (hocba_sees(school_id, province_id))',
            guarded
        );
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON class_progress TO hocba_signing;
GRANT SELECT, INSERT, UPDATE, DELETE ON class_reason TO hocba_signing;
