// Step: where a node is reached through other hosts (ProxyJump), the cluster's key is let through each of them, to forward and for nothing else.

import { DavitError } from "../../core/model/errors.ts";
import type { Connection } from "../connection.ts";
import { lastLine, SshHostShell } from "../host-shell.ts";
import type { SshTarget } from "../target.ts";
import type { Steps } from "./steps.ts";

export type PinnedHop = SshTarget & { readonly hostKey: string };

/** Appends "$2" to the user's authorized keys unless "$1", the key itself, is in there. */
const SCRIPT = `set -eu
umask 077
mkdir -p ~/.ssh
touch ~/.ssh/authorized_keys
if grep -qF "$1" ~/.ssh/authorized_keys; then echo there; exit; fi
[ -z "$(tail -c 1 ~/.ssh/authorized_keys)" ] || echo >> ~/.ssh/authorized_keys
printf '%s\\n' "$2" >> ~/.ssh/authorized_keys`;

/** Lets the cluster's key through the hops. Without hops it is no step at all. */
export async function authorizeOnHops(
  steps: Steps,
  hops: readonly Connection[],
  publicKey: string,
): Promise<readonly PinnedHop[]> {
  const [type = "", key = ""] = publicKey.trim().split(/\s+/);
  const line = `restrict,port-forwarding,command="echo this key forwards only >&2; exit 126" ${type} ${key} davit`;
  for (const hop of hops) {
    await steps.run("hop", `let the cluster's key through ${hop.target.host}`, async () => {
      const shell = new SshHostShell(hop, { rootAccess: "is-root" });
      const result = await shell.exec(["sh", "-c", SCRIPT, "davit-hop", key, line]);
      if (result.exitCode !== 0)
        throw new DavitError(
          "bootstrap_failed",
          `write authorized_keys on ${shell.target}: ${lastLine(result.stderr)}`,
        );
      const isThere = result.stdout.trim() === "there";
      const message = isThere
        ? `${shell.target} knows the cluster's key`
        : `${shell.target} lets the cluster's key forward, and nothing else`;
      return { value: undefined, message, skipped: isThere };
    });
  }
  return hops.map(({ target, hostKey }) => ({ ...target, hostKey }));
}
