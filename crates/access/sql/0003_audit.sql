-- Who did what. `seq` and `hash` are given once, by the sealer; all else is never changed.
CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  done_at BIGINT NOT NULL,
  request TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  session_id TEXT NOT NULL,
  speaks_for TEXT NOT NULL,
  door TEXT NOT NULL,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  times BIGINT NOT NULL,
  seq BIGINT UNIQUE,
  hash TEXT
);
