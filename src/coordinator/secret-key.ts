// The key that seals private material in the store: 32 random bytes in a file of its own, so that a copy of the database alone tells nothing.

import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { SEAL_KEY_BYTES } from "../auth/seal.ts";
import { DavitError } from "../core/model/errors.ts";
import type { Random } from "../ports/random.ts";

/** Reads DATA_DIR/secret.key, making it at the first start. `databaseExists`: then a missing key is an error, since what it sealed is lost. */
export function loadSecretKey(dataDir: string, random: Random, databaseExists: boolean): Uint8Array {
  const path = join(dataDir, "secret.key");
  if (!existsSync(path)) {
    if (databaseExists) {
      throw new DavitError(
        "storage_failed",
        `start: ${path} is missing, but the database beside it was sealed with it`,
        {
          wayOut:
            "put the file back from where it was moved; without it, start with an empty --data-dir and join the nodes again",
        },
      );
    }
    writeKey(path, random.bytes(SEAL_KEY_BYTES));
  }
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  const key = new Uint8Array(readFileSync(path));
  if (key.length !== SEAL_KEY_BYTES) {
    throw new DavitError("storage_failed", `start: ${path} holds ${key.length} bytes instead of ${SEAL_KEY_BYTES}`, {
      wayOut: "put the right file back",
    });
  }
  return key;
}

/** Durable before its name exists: a half-written key would seal what nobody can open again. */
function writeKey(path: string, key: Uint8Array): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", 0o600);
  writeSync(file, key);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
  const directory = openSync(dirname(path), "r");
  fsyncSync(directory);
  closeSync(directory);
}
