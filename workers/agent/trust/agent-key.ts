// The node's own key pair (Ed25519): made on the node, never leaves it; signs the agent's answers. Plain node:crypto, which is there
// without loading anything and signs synchronously.

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type webcrypto } from "node:crypto";
import { chmod, open, readFile } from "node:fs/promises";
import type { Claims, Signer } from "../../../src/ports/signer.ts";

/** Makes the key file (0600) unless it is there; gives the public JWK as text either way. */
export async function ensureAgentKey(path: string): Promise<string> {
  try {
    const { privateKey } = generateKeyPairSync("ed25519");
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(privateKey.export({ format: "jwk" }))}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(path, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const key = createPrivateKey({
    key: JSON.parse(await readFile(path, "utf8")) as webcrypto.JsonWebKey,
    format: "jwk",
  });
  return JSON.stringify({ ...createPublicKey(key).export({ format: "jwk" }), alg: "EdDSA", use: "sig" });
}

/** A signer by the key in a file. Rejects when it is missing or no Ed25519 key. */
export async function loadAgentSigner(path: string): Promise<Signer> {
  const key = createPrivateKey({
    key: JSON.parse(await readFile(path, "utf8")) as webcrypto.JsonWebKey,
    format: "jwk",
  });
  const header = encode({ alg: "EdDSA", typ: "JWT" });
  return {
    async sign(claims: Claims) {
      const signed = `${header}.${encode(claims)}`;
      return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
    },
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
