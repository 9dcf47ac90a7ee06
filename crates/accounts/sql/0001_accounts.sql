-- Who pays: tenants, their accounts, and the users in these. Rows are kept.
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  number BIGINT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  folded TEXT NOT NULL UNIQUE,
  block_threshold BIGINT NOT NULL,
  made_at BIGINT NOT NULL
);

CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  folded TEXT NOT NULL UNIQUE,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  state TEXT NOT NULL CHECK (state IN ('normal', 'frozen', 'blocked')),
  block_threshold BIGINT,
  comment TEXT NOT NULL,
  made_at BIGINT NOT NULL
);

CREATE INDEX accounts_tenant ON accounts (tenant_id);

CREATE TABLE account_members (
  account_id TEXT NOT NULL REFERENCES accounts (id),
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('user', 'admin', 'owner')),
  added_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, user_id)
);

CREATE INDEX account_members_user ON account_members (user_id);
CREATE UNIQUE INDEX account_members_owner ON account_members (account_id) WHERE role = 'owner';

-- What is known of users beside their names. A user without a row is in the tenant `default`.
CREATE TABLE people (
  user_id TEXT PRIMARY KEY,
  user_name TEXT NOT NULL,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  label TEXT NOT NULL,
  email TEXT NOT NULL
);

CREATE INDEX people_tenant ON people (tenant_id);

-- The newest number of each kind of record.
CREATE TABLE accounts_numbers (
  kind TEXT PRIMARY KEY,
  newest BIGINT NOT NULL
);

-- One row: when SCOW's pages ended their initialisation, and up to which bill jobs were fetched.
CREATE TABLE accounts_zone (
  one BIGINT PRIMARY KEY,
  initialised_at BIGINT,
  fetched_up_to BIGINT NOT NULL
);

INSERT INTO accounts_zone (one, fetched_up_to) VALUES (1, 0);

-- Double entry. A balance is the sum of its book's entries, and a transfer's entries sum to zero. Entries and
-- transfers are written once; `held` is what jobs may still cost and is no entry.
CREATE TABLE ledger_books (
  book TEXT PRIMARY KEY,
  balance BIGINT NOT NULL,
  held BIGINT NOT NULL CHECK (held >= 0)
);

INSERT INTO ledger_books (book, balance, held) VALUES ('outside', 0, 0), ('earned:zone', 0, 0);

CREATE TABLE ledger_transfers (
  number BIGINT PRIMARY KEY,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE ledger_entries (
  transfer BIGINT NOT NULL REFERENCES ledger_transfers (number),
  book TEXT NOT NULL REFERENCES ledger_books (book),
  amount BIGINT NOT NULL,
  PRIMARY KEY (transfer, book)
);

CREATE INDEX ledger_entries_book ON ledger_entries (book);

CREATE TABLE payments (
  number BIGINT PRIMARY KEY,
  transfer BIGINT NOT NULL UNIQUE REFERENCES ledger_transfers (number),
  at BIGINT NOT NULL,
  tenant_id TEXT NOT NULL,
  tenant_name TEXT NOT NULL,
  account_id TEXT,
  account_name TEXT,
  amount BIGINT NOT NULL,
  previous BIGINT NOT NULL,
  kind TEXT NOT NULL,
  comment TEXT NOT NULL,
  operator TEXT NOT NULL,
  ip_address TEXT NOT NULL,
  request_id TEXT UNIQUE
);

CREATE INDEX payments_at ON payments (at);

-- What accounts and tenants paid: a row without an account is the tenant's.
CREATE TABLE charges (
  number BIGINT PRIMARY KEY,
  transfer BIGINT NOT NULL UNIQUE REFERENCES ledger_transfers (number),
  at BIGINT NOT NULL,
  tenant_id TEXT NOT NULL,
  tenant_name TEXT NOT NULL,
  account_id TEXT,
  account_name TEXT,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  amount BIGINT NOT NULL,
  kind TEXT NOT NULL,
  comment TEXT NOT NULL,
  bill BIGINT NOT NULL
);

CREATE INDEX charges_at ON charges (at);
CREATE INDEX charges_account ON charges (account_id, at);

-- Prices are never changed; the newest of a path and tenant counts.
CREATE TABLE price_items (
  number BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  tenant_id TEXT REFERENCES tenants (id),
  path TEXT NOT NULL,
  price BIGINT NOT NULL,
  amount TEXT NOT NULL,
  description TEXT NOT NULL,
  made_at BIGINT NOT NULL
);

CREATE INDEX price_items_path ON price_items (path, number);

-- Jobs that an account pays for, from their submission on. `bill` is given when a job is charged. `waits` marks what
-- a price or a second try could carry on: jobs without a price, and jobs that have ended and are not charged.
CREATE TABLE job_bills (
  id TEXT PRIMARY KEY,
  cluster TEXT NOT NULL,
  number BIGINT NOT NULL,
  array_index BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  submitted_at BIGINT NOT NULL,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  account_id TEXT NOT NULL REFERENCES accounts (id),
  account_name TEXT NOT NULL,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  tenant_name TEXT NOT NULL,
  name TEXT NOT NULL,
  partition_name TEXT NOT NULL,
  qos TEXT NOT NULL,
  nodes BIGINT NOT NULL,
  cpus BIGINT NOT NULL,
  gpus BIGINT NOT NULL,
  memory_mb BIGINT NOT NULL,
  limit_secs BIGINT NOT NULL,
  partition_cores BIGINT NOT NULL,
  partition_gpus BIGINT NOT NULL,
  partition_memory_mb BIGINT NOT NULL,
  decimals BIGINT NOT NULL,
  min_charge BIGINT NOT NULL,
  account_item BIGINT REFERENCES price_items (number),
  tenant_item BIGINT REFERENCES price_items (number),
  hold BIGINT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'ended', 'charged', 'void')),
  waits BOOLEAN NOT NULL,
  started_at BIGINT,
  ended_at BIGINT,
  node_list TEXT NOT NULL,
  bill BIGINT UNIQUE,
  account_price BIGINT,
  tenant_price BIGINT,
  recorded_at BIGINT,
  UNIQUE (cluster, number, array_index, attempt, submitted_at)
);

CREATE INDEX job_bills_waits ON job_bills (id) WHERE waits;
CREATE INDEX job_bills_ended ON job_bills (ended_at);
CREATE INDEX job_bills_account ON job_bills (account_id);
