-- Whether a wallet has signed in by the handshake. Until then it has to be announced first, also one that is linked.
ALTER TABLE wallets ADD COLUMN greeted BOOLEAN NOT NULL DEFAULT FALSE;

UPDATE wallets SET greeted = TRUE WHERE user_id IN (SELECT subject FROM grants WHERE role = 'guest');
