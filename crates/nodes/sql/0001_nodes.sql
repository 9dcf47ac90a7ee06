-- The zone's machines. Rows stay when a machine has left, so that its keys are never taken again.
CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  tls_key TEXT NOT NULL UNIQUE,
  device_key TEXT NOT NULL UNIQUE,
  overlay_key TEXT NOT NULL UNIQUE,
  token_hash TEXT NOT NULL,
  address BIGINT,
  joined_at BIGINT NOT NULL,
  last_seen BIGINT,
  ended_at BIGINT
);

CREATE TABLE join_tokens (
  hash TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  node_name TEXT,
  uses BIGINT NOT NULL,
  used BIGINT NOT NULL,
  made_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  last_used_at BIGINT,
  ended_at BIGINT
);

-- Addresses that were ever handed out: held by a machine, or free from an instant on.
CREATE TABLE node_addresses (
  address BIGINT PRIMARY KEY,
  node_id TEXT,
  free_from BIGINT
);

CREATE INDEX node_addresses_free ON node_addresses (free_from);

-- One row: the pool, the next address that nobody had yet, and the latest instant that was ever judged by.
CREATE TABLE nodes_zone (
  one BIGINT PRIMARY KEY,
  pool TEXT NOT NULL,
  next BIGINT NOT NULL,
  latest BIGINT NOT NULL
);
