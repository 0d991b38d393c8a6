-- Addresses that were somebody's, until every node has left routes with them behind; key: the address, or a removed node's subnet.

CREATE TABLE freed_address (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record))
) STRICT;
