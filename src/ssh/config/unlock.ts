// Takes the passphrase off a private key in memory, so that a key file can be used without an ssh-agent. ssh2 opens the file; the key is then
// written as ssh2 reads it without a passphrase. Imported only when a passphrase was typed.

import { createPrivateKey } from "node:crypto";
import { utils } from "ssh2";
import { DavitError } from "../../core/model/errors.ts";
import { renderPrivateKey } from "../key-pair.ts";

/** The key's text without its passphrase. Throws `invalid_input` when the passphrase is not the right one, or the key is of no known kind. */
export function unlockKey(path: string, text: string, passphrase: string): string {
  const parsed = utils.parseKey(text, passphrase);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error) {
    throw new DavitError("invalid_input", `unlock ${path}: ${key?.message ?? "it holds no key"}`, {
      wayOut: `try the passphrase with: ssh-keygen -y -f ${path}`,
    });
  }
  const pem = key.getPrivatePEM();
  if (key.type !== "ssh-ed25519") return pem;
  const { x, d } = createPrivateKey(pem).export({ format: "jwk" });
  return renderPrivateKey(Buffer.from(x ?? "", "base64url"), Buffer.from(d ?? "", "base64url"), key.comment);
}
