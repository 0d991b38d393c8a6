// The node's WireGuard key pair (X25519, RFC 7748): made on the node, in a file that only root reads; the public half is told, the private
// one never leaves it.

import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { DavitError } from "../../../src/core/model/errors.ts";

const KEY_BYTES = 32;
/** What stands before the key's bytes in PKCS #8 and SPKI encodings of X25519 (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const PUBLIC_PREFIX_BYTES = 12;

/** Base64 of the public key; makes the pair at `path`, which then holds base64 of the private one as `wg` reads it. */
export function ensureMeshKey(path: string): string {
  const known = readKey(path);
  if (known !== undefined) return publicKeyOf(known, path);
  const { privateKey } = generateKeyPairSync("x25519");
  const made = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-KEY_BYTES).toString("base64");
  const file = openSync(`${path}.new`, "w", 0o600);
  writeSync(file, `${made}\n`);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
  return publicKeyOf(made, path);
}

function readKey(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function publicKeyOf(privateKey: string, path: string): string {
  const bytes = Buffer.from(privateKey, "base64");
  if (bytes.length !== KEY_BYTES) {
    throw new DavitError("storage_failed", `read the mesh key: ${path} is damaged`, {
      wayOut: "move it away and restart davit-agent: it makes a new one and tells the others",
    });
  }
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, bytes]), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(PUBLIC_PREFIX_BYTES).toString("base64");
}
