-- name: know_school
INSERT INTO school (school_id, province_id, version, name) VALUES ($1, $2, $3, $4)
ON CONFLICT (school_id) DO UPDATE SET province_id = excluded.province_id, version = excluded.version, name = excluded.name
WHERE school.version < excluded.version

-- name: know_staff
INSERT INTO staff (staff_id, school_id, province_id, version, person_id, full_name, appointments)
SELECT $1, $2, s.province_id, $3, $4, $5, $6 FROM school AS s WHERE s.school_id = $2
ON CONFLICT (staff_id) DO UPDATE
SET school_id = excluded.school_id, province_id = excluded.province_id, version = excluded.version, person_id = excluded.person_id,
    full_name = excluded.full_name, appointments = excluded.appointments
WHERE staff.version < excluded.version

-- name: know_homeroom
-- Enrollment's word, kept whether the class is here yet or not; an old one that comes again changes nothing.
WITH known AS (
    INSERT INTO homeroom (class_id, staff_id, version) VALUES ($1, $2, $3)
    ON CONFLICT (class_id) DO UPDATE SET staff_id = excluded.staff_id, version = excluded.version WHERE homeroom.version < excluded.version
    RETURNING class_id, staff_id, version
)
UPDATE school_class AS c SET homeroom_staff_id = known.staff_id, homeroom_version = known.version
FROM known WHERE c.class_id = known.class_id

-- name: know_teaching
INSERT INTO teaching (class_id, version, responsible) VALUES ($1, $2, $3)
ON CONFLICT (class_id) DO UPDATE SET version = excluded.version, responsible = excluded.responsible WHERE teaching.version < excluded.version

-- name: province_of
SELECT province_id FROM school WHERE school_id = $1

-- name: staff_of_person
SELECT * FROM staff WHERE school_id = $1 AND person_id = $2 ORDER BY staff_id

-- name: staff
SELECT * FROM staff WHERE staff_id = $1

-- name: register
-- Registering it again changes its picture, if it brings one, and nothing else.
INSERT INTO certificate (sha256, school_id, province_id, role, staff_id, serial, certificate, chain, key_name, registered_by, registered_at, image_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (sha256, school_id, role) DO UPDATE SET image_digest = EXCLUDED.image_digest WHERE EXCLUDED.image_digest <> ''

-- name: keep_image
INSERT INTO signature_image (school_id, digest, province_id, width, height, dots, kept_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING

-- name: image
SELECT width, height, dots FROM signature_image WHERE school_id = $1 AND digest = $2

-- name: holder_for
SELECT certificate, chain, key_name, image_digest FROM certificate
WHERE school_id = $1 AND role = $2 AND staff_id IS NOT DISTINCT FROM $3::uuid AND revoked_at IS NULL
ORDER BY registered_at DESC LIMIT 1

-- name: holder
SELECT certificate, chain, key_name, image_digest FROM certificate WHERE school_id = $1 AND role = $2 AND sha256 = $3 AND revoked_at IS NULL

-- name: revoked
UPDATE certificate SET revoked_at = $2 WHERE sha256 = $1 AND revoked_at IS NULL

-- name: signers
SELECT DISTINCT certificate, chain FROM certificate WHERE school_id = $1 AND sha256 = ANY ($2::bytea[]) ORDER BY certificate

-- name: certificate_moves
SELECT sha256, school_id, province_id, role, staff_id, certificate, registered_at, revoked_at FROM certificate WHERE sha256 = $1 ORDER BY school_id, role

-- name: certificates_after
SELECT DISTINCT sha256 FROM certificate WHERE sha256 > $1 ORDER BY 1 LIMIT $2
