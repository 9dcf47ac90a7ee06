-- One row: what this zone is. Its secrets lie in `sealed`.
CREATE TABLE zone (
  one BIGINT PRIMARY KEY,
  id TEXT NOT NULL,
  made_at BIGINT NOT NULL,
  ca_der TEXT NOT NULL,
  owner_public_key TEXT NOT NULL
);

-- Secrets, each closed with AES-256-GCM under the key of `keys/seal.key` and bound to its name.
CREATE TABLE sealed (
  name TEXT PRIMARY KEY,
  key_id TEXT NOT NULL,
  nonce TEXT NOT NULL,
  box TEXT NOT NULL,
  sealed_at BIGINT NOT NULL
);

CREATE TABLE token_keys (
  fingerprint TEXT PRIMARY KEY,
  public_key TEXT NOT NULL,
  made_at BIGINT NOT NULL,
  signs_until BIGINT,
  good_until BIGINT
);
