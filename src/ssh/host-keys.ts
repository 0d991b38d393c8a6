// Decides whether the key that a host shows is accepted, and says why not in words. Pure.

import { createHash } from "node:crypto";
import { DavitError } from "../core/model/errors.ts";
import { assertNever } from "../core/model/invariant.ts";
import { judgeHostKey, knownKeyTypes, parseKnownHosts } from "./config/known-hosts.ts";
import { type HostKeyRule, showTarget, type SshTarget } from "./target.ts";

/** "SHA256:…" of a key's blob, as ssh-keygen -l shows it. */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** Fingerprint of an OpenSSH public key line "type base64 [comment]". */
export function fingerprintOf(publicKeyLine: string): string {
  return fingerprint(Buffer.from(publicKeyLine.trim().split(/\s+/)[1] ?? "", "base64"));
}

/** The key's type is the first string of its blob (RFC 4253, 6.6). */
export function hostKeyLine(blob: Uint8Array): string {
  const bytes = Buffer.from(blob);
  return `${bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString("latin1")} ${bytes.toString("base64")}`;
}

/** Signature algorithms to ask a host for, so that it shows a key of a type that can be compared. Undefined: any. */
export function wantedKeyAlgorithms(rule: HostKeyRule, target: SshTarget): readonly string[] | undefined {
  const types =
    rule.kind === "pinned"
      ? [rule.hostKey.split(" ")[0] ?? ""]
      : knownKeyTypes(parseKnownHosts(rule.knownHosts.join("\n")), target);
  if (types.length === 0) return undefined;
  return types.flatMap((type) => (type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type]));
}

/** Undefined if the key is accepted, else the error to show. */
export function refusalOfHostKey(rule: HostKeyRule, target: SshTarget, blob: Uint8Array): DavitError | undefined {
  const shown = Buffer.from(blob).toString("base64");
  if (rule.kind === "pinned") {
    const pinned = rule.hostKey.split(" ")[1] ?? "";
    return pinned === shown ? undefined : changed(target, [fingerprintOf(rule.hostKey)], fingerprint(blob));
  }
  const verdict = judgeHostKey(parseKnownHosts(rule.knownHosts.join("\n")), target, shown);
  switch (verdict.kind) {
    case "known":
      return undefined;
    case "revoked":
      return new DavitError(
        "ssh_failed",
        `connect to ${showTarget(target)}: its host key ${fingerprint(blob)} is marked @revoked in known_hosts`,
        {
          wayOut: "do not use this host until its owner has given it a new host key",
        },
      );
    case "changed":
      return changed(
        target,
        verdict.expected.map((key) => fingerprint(Buffer.from(key, "base64"))),
        fingerprint(blob),
      );
    case "unknown":
      return rule.acceptNew ? undefined : unknown(target, blob);
    default:
      return assertNever(verdict);
  }
}

function changed(target: SshTarget, expected: readonly string[], shown: string): DavitError {
  return new DavitError(
    "ssh_failed",
    `connect to ${showTarget(target)}: the host key changed: expected ${expected.join(" or ")}, got ${shown}`,
    {
      wayOut:
        "either the host was installed anew or something else answers in its place; if you know why it changed, remove the old key (ssh-keygen -R) or the node (davit node rm --force), then add it again",
    },
  );
}

function unknown(target: SshTarget, blob: Uint8Array): DavitError {
  const type = hostKeyLine(blob).split(" ")[0] ?? "";
  return new DavitError(
    "ssh_failed",
    `connect to ${showTarget(target)}: its host key is not known: ${type} ${fingerprint(blob)}`,
    {
      wayOut:
        "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host, then accept it with --accept-host-key",
    },
  );
}
