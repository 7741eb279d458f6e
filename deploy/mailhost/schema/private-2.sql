-- Where lookup stood when the last batch was begun: tells a batch that a crash cut between two
-- commits from a file that somebody has restored.
CREATE TABLE base (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch TEXT NOT NULL, generation INTEGER NOT NULL, batch TEXT NOT NULL
);
INSERT INTO base VALUES (1, '', 0, '');
-- What a batch leaves to do outside the files: reloads, sessions to end, storages to remove.
CREATE TABLE due (id INTEGER PRIMARY KEY, verb TEXT NOT NULL, argument TEXT NOT NULL);
UPDATE meta SET schema = 2;
