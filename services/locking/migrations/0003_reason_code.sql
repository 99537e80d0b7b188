-- What sort of reason an unlock has, to be counted; its words stay with it.
ALTER TABLE unlocks ADD COLUMN reason_code text NOT NULL DEFAULT 'other' CHECK (reason_code IN ('wrong_entry', 'missing_entry', 'remarked', 'other'));
