// What it takes to reach a host over SSH: who, where, with which keys, and which host keys are right. Data only; no ssh2 here. Pure.

import type { SshAddress } from "../core/model/records.ts";

export type SshTarget = SshAddress & { readonly user: string };

/** The keys that may open a connection. Private keys are PEM texts, decrypted. */
export type Credentials = {
  /** Private keys (PEM), or public keys ("ssh-ed25519 AAAA…") that name a key which the agent holds. */
  readonly identities: readonly string[];
  /** Path of an ssh-agent's socket on this machine. */
  readonly agentSocket?: string;
  /** Of the agent's keys, offers only those that `identities` name. */
  readonly identitiesOnly?: boolean;
};

/** Which host key is accepted. A pin is strict; known-hosts lines are strict too, but may be silent about a host. */
export type HostKeyRule =
  | { readonly kind: "pinned"; readonly hostKey: string }
  | { readonly kind: "known"; readonly knownHosts: readonly string[]; readonly acceptNew: boolean };

/** "user@host:port", with the port left out when it is 22. */
export function showTarget(target: SshTarget): string {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  return `${target.user}@${host}${target.port === 22 ? "" : `:${target.port}`}`;
}
