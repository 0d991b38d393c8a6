// Whether a request's Host header names this server. A page in a browser can point a name of its own at 127.0.0.1; its requests then
// carry that name, and are refused here (DNS rebinding). Pure.

import { DavitError } from "../core/model/errors.ts";

const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** Throws `forbidden` for a host that is neither loopback nor among `allowed`; ports do not count. */
export function checkHost(header: string | undefined, allowed: readonly string[]): void {
  const host = (header ?? "").toLowerCase().replace(/:\d+$/, "");
  if (LOOPBACK.includes(host) || allowed.some((name) => name.toLowerCase() === host)) return;
  throw new DavitError("forbidden", "this server does not go by the name in the Host header", { wayOut: "use 127.0.0.1, or allow the name where the coordinator is started" });
}
