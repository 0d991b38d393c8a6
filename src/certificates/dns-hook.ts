// The user's own program that puts records into the DNS, where names are proved by it.

import { spawn } from "node:child_process";
import { DavitError } from "../core/model/errors.ts";
import type { DnsHook } from "../ports/certificate-issuer.ts";

/** Records may take a while to be everywhere: the hook waits for that itself. */
const HOOK_TIMEOUT_MS = 300_000;

/** Runs the user's program: PROGRAM present|cleanup NAME VALUE. One that has not ended after `timeoutMs` is killed. */
export function createDnsHook(dnsHook: string, timeoutMs = HOOK_TIMEOUT_MS): DnsHook {
  return (action, name, value) =>
    new Promise((resolve, reject) => {
      const child = spawn(dnsHook, [action, name, value], { stdio: ["ignore", "pipe", "pipe"] });
      let said = "";
      const hear = (chunk: Buffer): void => void (said = (said + chunk.toString("utf8")).slice(-2_000));
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      const fail = (reason: string): void =>
        reject(new DavitError("unavailable", `prove ${name} by DNS: ${dnsHook} ${action}: ${reason}`));
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        // a program that it started may live on and keep these open: who waits for their end waits for it
        child.stdout.destroy();
        child.stderr.destroy();
        fail(`no end within ${timeoutMs / 1_000} s: ${said.trim()}`);
      }, timeoutMs);
      child.on("error", (error) => (clearTimeout(timer), fail(error.message)));
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        if (code === 0) resolve();
        else fail(`${code === null ? `ended by ${signal}` : `exit code ${code}`}: ${said.trim()}`);
      });
    });
}
