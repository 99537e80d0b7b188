-- Class-subject sheets go the way of transcripts: a row with its state, a page, a manifest, intents and signatures. Their versions
-- stand side by side, since a later one holds only the rows that changed.

ALTER TABLE transcript
    ADD COLUMN kind text NOT NULL DEFAULT 'transcript' CHECK (kind IN ('transcript', 'sheet')),
    ADD COLUMN subject text NOT NULL DEFAULT '',
    ADD COLUMN staff_id uuid, -- who is to sign the sheet
    ALTER COLUMN pupil_id DROP NOT NULL,
    ADD CONSTRAINT a_transcript_is_a_pupils CHECK ((kind = 'transcript') = (pupil_id IS NOT NULL));

ALTER TABLE manifest ADD COLUMN kind text NOT NULL DEFAULT 'transcript' CHECK (kind IN ('transcript', 'sheet'));

-- One order prepares the pages of a class, and may name two versions of one sheet.
ALTER TABLE order_line DROP CONSTRAINT order_line_pkey, ADD PRIMARY KEY (order_id, transcript_id, version);

-- The sheets that a transcript's rows stand in: it is signed when all of them are.
CREATE TABLE sheet_need (
    transcript_id uuid NOT NULL,
    version integer NOT NULL,
    sheet_id uuid NOT NULL,
    sheet_version integer NOT NULL,
    PRIMARY KEY (transcript_id, version, sheet_id, sheet_version),
    FOREIGN KEY (transcript_id, version) REFERENCES transcript
);
CREATE INDEX needs_by_sheet ON sheet_need (sheet_id, sheet_version);

-- Who is responsible for each subject of a class, as enrollment says: whoever takes over a subject signs what was sealed before.
CREATE TABLE teaching (
    class_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    responsible jsonb NOT NULL -- subject -> staff id
);

GRANT SELECT, INSERT ON sheet_need TO hocba_signing;
GRANT SELECT, INSERT, UPDATE ON teaching TO hocba_signing;
