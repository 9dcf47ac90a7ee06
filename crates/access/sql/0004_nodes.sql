-- Machines of the zone as callers. What else is known of them lies with the room that looks after them.
CREATE TABLE machines (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  added_at BIGINT NOT NULL,
  ended_at BIGINT
);

-- Every certificate that was given to a machine and has not ended, by the SHA-256 of its DER form.
CREATE TABLE machine_certificates (
  fingerprint TEXT PRIMARY KEY,
  machine_id TEXT NOT NULL,
  ends_at BIGINT NOT NULL
);

CREATE INDEX machine_certificates_machine ON machine_certificates (machine_id);
