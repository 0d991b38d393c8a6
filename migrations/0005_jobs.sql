-- Jobs: what the plan has answered of each, and their runs; key of a run "<service>/<number>".

CREATE TABLE job (
  id TEXT PRIMARY KEY,
  next_tick_at_ms INTEGER,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE run (
  id TEXT PRIMARY KEY,
  service_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record)),
  UNIQUE (service_id, number)
) STRICT;
