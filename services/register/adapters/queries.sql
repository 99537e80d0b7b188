-- name: account_by_token
SELECT department, name, log_policy, may_find FROM accounts WHERE token_sha256 = $1

-- name: accounts
SELECT a.department, a.name, a.may_find, a.opened_at, (SELECT count(*) FROM submissions s WHERE s.department = a.department) AS submissions,
    coalesce((SELECT string_agg(encode(c.sha256, 'hex'), ' ' ORDER BY c.approved_at) FROM certificates c
        WHERE c.department = a.department AND c.revoked_at IS NULL), '') AS certificates
FROM accounts a ORDER BY a.department

-- name: open_account
-- A second call gives the account another token, policy or right; what was received stays.
INSERT INTO accounts (department, name, token_sha256, log_policy, may_find, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (department) DO UPDATE SET name = $2, token_sha256 = $3, log_policy = $4, may_find = $5

-- name: approve
INSERT INTO certificates (sha256, department, approved_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING RETURNING sha256

-- name: revoke
-- The first revocation stays.
UPDATE certificates SET revoked_at = $2, revoked_why = $3 WHERE sha256 = $1 AND revoked_at IS NULL RETURNING sha256

-- name: certificate
SELECT department, revoked_at FROM certificates WHERE sha256 = $1

-- name: submission
SELECT receipt, results FROM submissions WHERE department = $1 AND manifest_sha256 = $2

-- name: lock_account
-- Batches of one department come one after the other; certificates can't be revoked in between.
-- locks: accounts row
SELECT department FROM accounts WHERE department = $1 FOR UPDATE

-- name: known_root
SELECT root FROM checkpoints WHERE department = $1 AND origin = $2 AND size = $3

-- name: add_checkpoint
INSERT INTO checkpoints (department, origin, size, root, note) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING

-- name: held
SELECT transcript_id, max(revision) AS revision, coalesce(max(version) FILTER (WHERE operation <> 'CANCEL'), 0) AS version
FROM records WHERE department = $1 AND transcript_id = ANY ($2::uuid[]) GROUP BY transcript_id

-- name: documents
SELECT sha256, transcript_id FROM records WHERE department = $1 AND operation <> 'CANCEL' AND sha256 = ANY ($2::bytea[])

-- name: add_submission
INSERT INTO submissions (manifest_sha256, department, certificate_sha256, signature, receipt, results, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: add_records
INSERT INTO records (
    department, manifest_sha256, transcript_id, revision, version, operation, sha256, school_year, level, school_id,
    personal_number_key, ministry_code_key, fetch_url, statement, log_index)
SELECT $1::text, $2::bytea, v.* FROM unnest($3::uuid[], $4::bigint[], $5::integer[], $6::text[], $7::bytea[], $8::smallint[], $9::text[], $10::text[],
    $11::bytea[], $12::bytea[], $13::text[], $14::bytea[], $15::bigint[]) AS v

-- name: find
-- Every version of every transcript that names this pupil, with the withdrawals, the oldest year first.
SELECT r.department, a.name, r.transcript_id, r.revision, r.version, r.operation, r.sha256, r.school_year, r.level, r.school_id, r.fetch_url
FROM records r JOIN accounts a USING (department)
WHERE (r.department, r.transcript_id) IN (
    SELECT department, transcript_id FROM records WHERE personal_number_key = $1 OR ministry_code_key = $1)
ORDER BY r.school_year, r.department, r.transcript_id, r.revision

-- name: add_lookup
INSERT INTO lookups (department, pupil_key, found, at) VALUES ($1, $2, $3, $4)
