// A shell on a host as the user who types: keys, hops and known hosts from their own SSH files. An unknown host key is refused.

import type { HostShell } from "../ports/host-shell.ts";
import { CONTROL_KEEP_ALIVE } from "./connection.ts";
import { resolveTarget } from "./config/resolve.ts";
import { HandshakeGates } from "./gate.ts";
import { SshHostShell } from "./host-shell.ts";
import { connectAsUser } from "./bootstrap/user-connection.ts";

/** Connects to "[user@]host[:port]". Rejects with `ssh_failed` in words. */
export async function openUserShell(
  target: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<HostShell> {
  const { skippedKeys: _skipped, lockedKeys: _locked, ...access } = resolveTarget(target, { environment });
  const connection = await connectAsUser(
    { ...access, acceptNewHostKey: false },
    new HandshakeGates(),
    CONTROL_KEEP_ALIVE,
  );
  return new SshHostShell(connection, { rootAccess: "is-root" });
}
