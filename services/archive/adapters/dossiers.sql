-- name: received_dossiers
-- What has come for a pupil, the oldest first.
SELECT sha256, school_id, province_id, pupil_id, object_name, pack_offset, size, true AS cipher FROM received_dossiers
WHERE pupil_id = $1 AND ($2::uuid IS NULL OR school_id = $2) ORDER BY received_at, sha256

-- name: add_received_dossier
INSERT INTO received_dossiers (
    sha256, school_id, province_id, pupil_id, object_name, pack_offset, size, verdict, received_account, received_person, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (school_id, pupil_id, sha256) DO NOTHING
