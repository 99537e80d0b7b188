-- Extracts (trích sao) are numbered and issued in the register of copies; what is chosen of the original says that a row is one.

ALTER TABLE copies ADD COLUMN parts text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN copies.parts IS 'What an extract has of its original, such as results or subjects.toan; a copy of the whole has none.';
