-- Read by Postfix and Dovecot; holds no secret. Keyed by (domain id, local part).
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  schema INTEGER NOT NULL, epoch TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL
);
INSERT INTO meta VALUES (1, 1, '', 0, '');
CREATE TABLE domain (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('active', 'login_off', 'off')),
  canonical_id INTEGER,
  catch_all TEXT,
  postmaster TEXT
);
CREATE TABLE address (
  id INTEGER PRIMARY KEY,
  domain_id INTEGER NOT NULL,
  local_part TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('mailbox', 'alias', 'forward')),
  state TEXT NOT NULL CHECK (state IN ('active', 'login_off', 'off', 'trash')),
  storage_id TEXT UNIQUE,
  quota_mib INTEGER,
  keep_copy INTEGER NOT NULL DEFAULT 1,
  UNIQUE (domain_id, local_part)
);
CREATE TABLE route (
  address_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (address_id, position)
) WITHOUT ROWID;
-- Who may send as whom: the mailbox `address_id` may send from `address`, its own one included.
CREATE TABLE sender (
  address TEXT NOT NULL,
  address_id INTEGER NOT NULL,
  PRIMARY KEY (address, address_id)
) WITHOUT ROWID;
CREATE INDEX sender_of ON sender (address_id);
