// New SSH key pairs: Ed25519 in OpenSSH's formats. Written here (PROTOCOL.key of OpenSSH, RFC 8709): the generator of ssh2 gives a private key
// that ssh2 itself cannot read once in some four hundred times, and a cluster's key is made once.

import { generateKeyPairSync, randomBytes } from "node:crypto";

export type SshKeyPair = {
  /** "ssh-ed25519 BASE64 comment". */
  readonly publicKey: string;
  /** PEM text, OpenSSH format, not encrypted. */
  readonly privateKey: string;
};

const TYPE = "ssh-ed25519";
const LINE_LENGTH = 70;
/** Of an unencrypted key: its private part is padded to a multiple of it. */
const BLOCK_BYTES = 8;

export function createKeyPair(comment: string): SshKeyPair {
  const { x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const publicBytes = Buffer.from(x ?? "", "base64url");
  const seed = Buffer.from(d ?? "", "base64url");
  return {
    publicKey: `${TYPE} ${publicBlobOf(publicBytes).toString("base64")} ${comment}`.trimEnd(),
    privateKey: renderPrivateKey(publicBytes, seed, comment),
  };
}

/** PEM text of an Ed25519 key in OpenSSH's format, not encrypted; both parts are 32 bytes. */
export function renderPrivateKey(publicBytes: Uint8Array, seed: Uint8Array, comment: string): string {
  const publicBlob = publicBlobOf(publicBytes);
  const check = randomBytes(4);
  const inner = Buffer.concat([
    check,
    check,
    publicBlob,
    field(Buffer.concat([seed, publicBytes])),
    field(Buffer.from(comment)),
  ]);
  const padding = Buffer.from(
    Array.from({ length: (BLOCK_BYTES - (inner.length % BLOCK_BYTES)) % BLOCK_BYTES }, (_, at) => at + 1),
  );
  const body = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    field("none"),
    field("none"),
    field(""),
    number(1),
    field(publicBlob),
    field(Buffer.concat([inner, padding])),
  ]);
  const lines = body.toString("base64").match(new RegExp(`.{1,${LINE_LENGTH}}`, "g")) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function publicBlobOf(publicBytes: Uint8Array): Buffer {
  return Buffer.concat([field(TYPE), field(publicBytes)]);
}

/** A string as SSH writes it: its length in four bytes, then itself. */
function field(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
