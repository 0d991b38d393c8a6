// What can be seen on the wire between the lab's hosts.

import { spawn } from "node:child_process";
import { waitUntil } from "./cluster.ts";
import type { Lab } from "./lab.ts";

/** Lines of tcpdump on the lab's bridge, from outside of all hosts, while something is done. */
export async function capture(lab: Lab, filter: string, act: () => Promise<void>): Promise<readonly string[]> {
  const dump = spawn("tcpdump", ["-l", "-n", "-A", "-i", lab.bridge, filter], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  let said = "";
  dump.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  dump.stderr.setEncoding("utf8").on("data", (part: string) => (said += part));
  try {
    await waitUntil("the wire is listened to", 10_000, () => said.includes("listening on"));
    await act();
    await waitUntil("packets were written down", 5_000, () => text.includes(" IP "));
  } finally {
    dump.kill("SIGINT");
  }
  return text.split("\n");
}
