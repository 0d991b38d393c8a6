-- The first schema: one table per kind of record. What is looked up or shown by tools has a typed column; the whole record is
-- checked JSON beside it. Ids are texts of 25 characters, times wall-clock milliseconds.

CREATE TABLE cluster (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE service (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  stack TEXT,
  idx INTEGER NOT NULL,
  version INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
CREATE INDEX service_by_stack ON service (stack);

-- The last versions of each service's spec; key "<service>/<version>".
CREATE TABLE service_version (
  id TEXT PRIMARY KEY,
  service_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  hash TEXT NOT NULL,
  stable INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record)),
  UNIQUE (service_id, version)
) STRICT;

CREATE TABLE rollout (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE task (
  id TEXT PRIMARY KEY,
  service_id TEXT NOT NULL,
  slot INTEGER NOT NULL,
  node_id TEXT,
  desired TEXT NOT NULL CHECK (desired IN ('running', 'shutdown', 'remove')),
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
CREATE INDEX task_by_service ON task (service_id, slot);
CREATE INDEX task_by_node ON task (node_id);

-- What agents say of tasks: apart from the tasks, because it has another writer.
CREATE TABLE task_status (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE node (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  idx INTEGER NOT NULL,
  availability TEXT NOT NULL CHECK (availability IN ('active', 'pause', 'drain')),
  subnet TEXT NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE node_status (
  id TEXT PRIMARY KEY,
  boot_id TEXT NOT NULL,
  unseen_since_ms INTEGER,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE volume (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  stack TEXT,
  idx INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE volume_pin (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE network (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  stack TEXT,
  idx INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE user_token (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  idx INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE registry_login (
  id TEXT PRIMARY KEY,
  idx INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE issuer_key (
  id TEXT PRIMARY KEY,
  created_at_ms INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE cluster_key (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
