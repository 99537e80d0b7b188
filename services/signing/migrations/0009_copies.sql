-- Certified copies go the way of transcripts and sheets: a row with its state, a page, a manifest of its own, an intent and the seal's signature.

ALTER TABLE transcript DROP CONSTRAINT transcript_kind_check, ADD CONSTRAINT transcript_kind_check CHECK (kind IN ('transcript', 'sheet', 'copy'));
ALTER TABLE manifest DROP CONSTRAINT manifest_kind_check, ADD CONSTRAINT manifest_kind_check CHECK (kind IN ('transcript', 'sheet', 'copy'));
