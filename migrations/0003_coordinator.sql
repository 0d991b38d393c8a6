-- What the coordinator must know of itself before it does anything: the revision, the chain of its starts, small settings.

CREATE TABLE meta (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO meta (only, revision) VALUES (1, 0);

-- Each start, restore or takeover adds one; the nonce tells two histories with the same number apart.
CREATE TABLE epoch (
  epoch INTEGER PRIMARY KEY,
  nonce TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
