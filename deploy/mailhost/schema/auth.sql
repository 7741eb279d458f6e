-- Read by Dovecot's authentication; holds the hashes and the states that a log-in depends on.
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  schema INTEGER NOT NULL, epoch TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL
);
INSERT INTO meta VALUES (1, 1, '', 0, '');
CREATE TABLE domain (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL
);
CREATE TABLE login (
  address_id INTEGER PRIMARY KEY,
  domain_id INTEGER NOT NULL,
  local_part TEXT NOT NULL,
  state TEXT NOT NULL,
  storage_id TEXT NOT NULL,
  UNIQUE (domain_id, local_part)
);
CREATE TABLE credential (
  address_id INTEGER NOT NULL,
  prefix TEXT NOT NULL,
  hash TEXT NOT NULL,
  protocols TEXT NOT NULL,
  expires INTEGER,
  PRIMARY KEY (address_id, prefix)
) WITHOUT ROWID;
-- One-time log-ins of the proof: from loopback only, and for a minute.
CREATE TABLE probe (
  address_id INTEGER NOT NULL,
  prefix TEXT NOT NULL,
  hash TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (address_id, prefix)
) WITHOUT ROWID;
