-- A domain whose mail still goes to its former provider: known here, with log-ins and senders, and
-- for its mail as foreign as any other.
ALTER TABLE domain ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0 CHECK (elsewhere IN (0, 1));
-- The domains whose mail this host takes; an alias domain goes where its domain goes.
CREATE VIEW receiving AS SELECT * FROM domain n WHERE NOT n.elsewhere
  AND NOT EXISTS (SELECT 1 FROM domain c WHERE c.id = n.canonical_id AND c.elsewhere);
UPDATE meta SET schema = 2;
