-- Certificates that show a session of a user, by the SHA-256 of their DER form. They count as long as the session does.
CREATE TABLE user_certificates (
  fingerprint TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  ends_at BIGINT NOT NULL
);
