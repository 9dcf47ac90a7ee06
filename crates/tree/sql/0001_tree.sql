-- Named values. A row is never removed: where the value is NULL the key was deleted, and its revision goes on from
-- there. The size stands before the value so that adding sizes up reads no values.
CREATE TABLE tree (
  key TEXT PRIMARY KEY,
  revision BIGINT NOT NULL,
  size BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  value TEXT
);
