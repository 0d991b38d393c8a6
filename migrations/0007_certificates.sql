-- Certificates of host names, accounts with ACME servers, and the cluster's own authority. Private keys in the records are sealed.

CREATE TABLE certificate (
  id TEXT PRIMARY KEY,
  idx INTEGER NOT NULL,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE acme_account (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;

CREATE TABLE authority (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
