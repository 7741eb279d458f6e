-- How many recipients an hour a mailbox, the domain and its account may send to; NULL is no limit.
ALTER TABLE domain ADD COLUMN account_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domain ADD COLUMN rate_mailbox INTEGER;
ALTER TABLE domain ADD COLUMN rate_domain INTEGER;
ALTER TABLE domain ADD COLUMN rate_account INTEGER;
UPDATE meta SET schema = 3;
