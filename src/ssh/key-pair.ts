// New SSH key pairs: Ed25519 in OpenSSH's formats.

import { utils } from "ssh2";

export type SshKeyPair = {
  /** "ssh-ed25519 BASE64 comment". */
  readonly publicKey: string;
  /** PEM text, OpenSSH format, not encrypted. */
  readonly privateKey: string;
};

export function createKeyPair(comment: string): SshKeyPair {
  const pair = utils.generateKeyPairSync("ed25519", { comment });
  return { publicKey: pair.public, privateKey: pair.private };
}
