-- Machines whose clients make no keys of their own have none as devices and none for the overlay.
CREATE TABLE nodes_anew (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  tls_key TEXT NOT NULL UNIQUE,
  device_key TEXT UNIQUE,
  overlay_key TEXT UNIQUE,
  token_hash TEXT NOT NULL,
  address BIGINT,
  joined_at BIGINT NOT NULL,
  last_seen BIGINT,
  ended_at BIGINT
);

INSERT INTO nodes_anew (id, name, tls_key, device_key, overlay_key, token_hash, address, joined_at, last_seen, ended_at)
  SELECT id, name, tls_key, device_key, overlay_key, token_hash, address, joined_at, last_seen, ended_at FROM nodes;

DROP TABLE nodes;

ALTER TABLE nodes_anew RENAME TO nodes;

-- The words by which such clients speak of their machine, by the SHA-256 of each.
CREATE TABLE node_words (
  hash TEXT PRIMARY KEY,
  node_id TEXT NOT NULL UNIQUE
);
