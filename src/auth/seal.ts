// Sealing of private material for the store: AES-256-GCM with the key of secret.key. A sealed text names its format, so that
// another can follow; it is bound to nothing but the key. Synchronous.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { DavitError } from "../core/model/errors.ts";

const FORMAT = "v1";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const SEAL_KEY_BYTES = 32;

/** A text that only the key opens: "v1.<base64url of nonce, tag, ciphertext>". */
export function seal(key: Uint8Array, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return `${FORMAT}.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url")}`;
}

/** Opens what `seal` made. Throws `storage_failed` for another key or an altered text. */
export function unseal(key: Uint8Array, sealed: string): string {
  const [format, body = ""] = sealed.split(".");
  const bytes = Buffer.from(body, "base64url");
  try {
    if (format !== FORMAT || bytes.length < NONCE_BYTES + TAG_BYTES) throw new Error("unknown format");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new DavitError("storage_failed", "open sealed text: it was sealed with another key, or altered", {
      wayOut: "put the secret.key back that belongs to this database",
      cause,
    });
  }
}
