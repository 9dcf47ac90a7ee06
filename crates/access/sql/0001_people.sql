-- Every name ever given, whatever it names. Rows are never changed and never removed.
CREATE TABLE names (
  folded TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL
);

INSERT INTO names (folded, kind, id) VALUES
  ('owner', 'role', 'owner'), ('admin', 'role', 'admin'), ('member', 'role', 'member'),
  ('root', 'role', 'root'), ('user', 'role', 'user'), ('guest', 'role', 'guest'),
  ('limited', 'role', 'limited'), ('administrator', 'role', 'administrator'),
  ('kernel', 'system', 'kernel'), ('ood', 'system', 'ood'), ('device', 'system', 'device'),
  ('system', 'system', 'system'), ('zone', 'system', 'zone'), ('soke', 'system', 'soke'),
  ('agent', 'system', 'agent'), ('gateway', 'system', 'gateway'), ('console', 'system', 'console'),
  ('verify-hub', 'system', 'verify-hub'), ('system-config', 'system', 'system-config'),
  ('system_config', 'system', 'system_config'), ('node-daemon', 'system', 'node-daemon'),
  ('scheduler', 'system', 'scheduler'), ('control-panel', 'system', 'control-panel'),
  ('task-manager', 'system', 'task-manager'), ('repo-service', 'system', 'repo-service'),
  ('anonymous', 'system', 'anonymous'), ('nobody', 'system', 'nobody'), ('me', 'system', 'me'),
  ('self', 'system', 'self'), ('services', 'system', 'services'), ('apps', 'system', 'apps'),
  ('frame', 'system', 'frame'), ('app', 'system', 'app'), ('www', 'system', 'www'),
  ('api', 'system', 'api'), ('localhost', 'system', 'localhost');

CREATE TABLE hosts (
  label TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL
);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  folded TEXT NOT NULL UNIQUE,
  unix_name TEXT UNIQUE,
  label TEXT UNIQUE,
  number BIGINT NOT NULL UNIQUE,
  made_at BIGINT NOT NULL
);

CREATE TABLE grants (
  subject TEXT NOT NULL,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  given_by TEXT,
  given_at BIGINT NOT NULL,
  PRIMARY KEY (subject, role, scope)
);

CREATE INDEX grants_role ON grants (role);

CREATE TABLE passwords (
  user_id TEXT PRIMARY KEY,
  verifier TEXT NOT NULL,
  set_at BIGINT NOT NULL
);

CREATE TABLE user_keys (
  public_key TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  label TEXT NOT NULL,
  added_at BIGINT NOT NULL
);

CREATE INDEX user_keys_user ON user_keys (user_id);

CREATE TABLE sign_in_codes (
  hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE INDEX sign_in_codes_expiry ON sign_in_codes (expires_at);

-- Challenges that were answered well, kept until they would have ended by themselves.
CREATE TABLE answered_challenges (
  hash TEXT PRIMARY KEY,
  expires_at BIGINT NOT NULL
);

CREATE INDEX answered_challenges_expiry ON answered_challenges (expires_at);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  number BIGINT NOT NULL UNIQUE,
  user_id TEXT NOT NULL,
  proof TEXT NOT NULL,
  door TEXT NOT NULL,
  address TEXT NOT NULL,
  opened_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  refresh_hash TEXT NOT NULL,
  ended_at BIGINT,
  end_reason TEXT
);

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);
