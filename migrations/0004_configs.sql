-- Contents of configs, kept once by their SHA-256 however many services mount them; dropped when no kept version of a service does.

CREATE TABLE config_file (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
