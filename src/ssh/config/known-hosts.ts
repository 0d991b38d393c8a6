// Reads OpenSSH known-hosts lines and judges a host's key by them: plain, wildcard, [host]:port and hashed entries, @revoked.
// Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Needs no ssh2: the command line uses it too.

import { createHmac } from "node:crypto";
import type { SshAddress } from "../../core/model/records.ts";
import { matchesPatterns } from "./patterns.ts";

export type KnownHost = {
  readonly hosts: string;
  readonly keyType: string;
  /** Base64 of the key's blob. */
  readonly key: string;
  readonly marker?: "revoked" | "cert-authority";
};

export type HostKeyVerdict =
  | { readonly kind: "known" }
  | { readonly kind: "unknown" }
  | { readonly kind: "revoked" }
  /** Keys of the same type are known, and this is none of them. */
  | { readonly kind: "changed"; readonly expected: readonly string[] };

/** Entries of a known-hosts file; lines that are comments, empty or not understood give none. */
export function parseKnownHosts(text: string): readonly KnownHost[] {
  return text.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const first = words[0] ?? "";
    if (first === "" || first.startsWith("#")) return [];
    const marker = first === "@revoked" ? "revoked" : first === "@cert-authority" ? "cert-authority" : undefined;
    const [hosts, keyType, key] = first.startsWith("@") ? words.slice(1) : words;
    if (hosts === undefined || keyType === undefined || key === undefined) return [];
    if (first.startsWith("@") && marker === undefined) return [];
    return [{ hosts, keyType, key, ...(marker === undefined ? {} : { marker }) }];
  });
}

/** The lines of `text` that say something of this address, as they are: what a client sends along instead of its whole file. */
export function knownHostLinesFor(text: string, address: SshAddress): readonly string[] {
  return text.split("\n").filter((line) => parseKnownHosts(line).some((entry) => namesHost(entry.hosts, address)));
}

/** The key types known for an address, in the file's order: the handshake must ask for one of them. */
export function knownKeyTypes(entries: readonly KnownHost[], address: SshAddress): readonly string[] {
  const matching = entries.filter((entry) => entry.marker === undefined && namesHost(entry.hosts, address));
  return [...new Set(matching.map((entry) => entry.keyType))];
}

/** Judges a key that a host showed. Without any known key it is unknown; with some, of whatever type, it must be one of them. */
export function judgeHostKey(entries: readonly KnownHost[], address: SshAddress, key: string): HostKeyVerdict {
  const matching = entries.filter((entry) => entry.marker !== "cert-authority" && namesHost(entry.hosts, address));
  if (matching.some((entry) => entry.marker === "revoked" && entry.key === key)) return { kind: "revoked" };
  const trusted = matching.filter((entry) => entry.marker === undefined);
  if (trusted.some((entry) => entry.key === key)) return { kind: "known" };
  if (trusted.length === 0) return { kind: "unknown" };
  return { kind: "changed", expected: trusted.map((entry) => entry.key) };
}

function namesHost(hosts: string, address: SshAddress): boolean {
  const host = address.host.toLowerCase();
  const name = address.port === 22 ? host : `[${host}]:${address.port}`;
  return hosts.startsWith("|1|") ? isHashOf(hosts, name) : matchesPatterns(hosts.toLowerCase().split(","), name);
}

/** `|1|salt|hash`, both base64: HMAC-SHA1 of the name with the salt as key. */
function isHashOf(hashed: string, name: string): boolean {
  const [, , salt, hash] = hashed.split("|");
  if (salt === undefined || hash === undefined) return false;
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}
