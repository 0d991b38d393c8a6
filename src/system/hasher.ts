// SHA-256 behind the Hasher port, synchronous.

import { createHash } from "node:crypto";
import type { Hasher } from "../ports/hasher.ts";

export function createHasher(): Hasher {
  return {
    hash: (text) => createHash("sha256").update(text, "utf8").digest("hex"),
    hashBytes: (bytes) => createHash("sha256").update(bytes).digest("hex"),
  };
}
