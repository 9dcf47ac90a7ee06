-- Services: what is wanted, and how far it is so. Rows of stopped services are kept.
CREATE TABLE services (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  user_number BIGINT NOT NULL,
  unix_name TEXT,
  user_owns_zone BOOLEAN NOT NULL,
  draft TEXT NOT NULL,
  fixed_port BIGINT,
  wanted_node TEXT,
  wanted TEXT NOT NULL,
  generation BIGINT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  node_id TEXT,
  node_name TEXT NOT NULL,
  run_id TEXT,
  run_generation BIGINT NOT NULL,
  run_seen BOOLEAN NOT NULL,
  port BIGINT,
  starts BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  next_start_at BIGINT,
  started_at BIGINT,
  exit_code BIGINT,
  deployed_at BIGINT NOT NULL,
  stopped_at BIGINT
);

CREATE UNIQUE INDEX services_by_name ON services (user_id, name) WHERE state <> 'stopped';
CREATE INDEX services_by_user ON services (user_id, deployed_at);
CREATE INDEX services_unfinished ON services (node_id) WHERE state <> 'stopped';
