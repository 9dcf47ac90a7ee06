-- Wallets as credentials: 40 lower-case hex digits each. A wallet signs in one user.
CREATE TABLE wallets (
  address TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  label TEXT NOT NULL,
  added_at BIGINT NOT NULL
);

CREATE INDEX wallets_user ON wallets (user_id);

-- Wallets that somebody announced and that sign in nobody yet, until their end.
CREATE TABLE announced_wallets (
  address TEXT PRIMARY KEY,
  ends_at BIGINT NOT NULL
);

CREATE INDEX announced_wallets_end ON announced_wallets (ends_at);

-- Cookies by the SHA-256 of their name and secret. Each shows one session and ends with it.
CREATE TABLE cookies (
  hash TEXT PRIMARY KEY,
  session_number BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
);

CREATE INDEX cookies_end ON cookies (ends_at);
