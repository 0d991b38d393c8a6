// Whether a request's Host header names this server. A page in a browser can point a name of its own at 127.0.0.1; its requests then
// carry that name, and are refused here (DNS rebinding). Pure.

import { DavitError } from "../core/model/errors.ts";

const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** Whether a listening address is this machine's own only. */
export function isLoopback(host: string): boolean {
  return host === "::1" || LOOPBACK.includes(host) || /^127\.[\d.]+$/.test(host);
}

/** Throws `forbidden` for a Host header that is not loopback; ports do not count. */
export function checkHost(header: string | undefined): void {
  const host = (header ?? "").toLowerCase().replace(/:\d+$/, "");
  if (isLoopback(host)) return;
  throw new DavitError("forbidden", "this server does not go by the name in the Host header", {
    wayOut: "use 127.0.0.1",
  });
}
