-- Read by the agent alone.
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  schema INTEGER NOT NULL, epoch TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL
);
INSERT INTO meta VALUES (1, 1, '', 0, '');
CREATE TABLE dkim (
  id INTEGER PRIMARY KEY,
  domain_id INTEGER NOT NULL,
  domain TEXT NOT NULL,
  selector TEXT NOT NULL,
  algorithm TEXT NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
  private_key TEXT NOT NULL,
  signing INTEGER NOT NULL
);
CREATE INDEX dkim_of ON dkim (domain, signing);
CREATE TABLE token (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);
INSERT INTO token VALUES (1, 0);
