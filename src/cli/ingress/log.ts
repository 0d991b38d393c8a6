// davit ingress log: requests to a service's routes on all nodes. A node that cannot be reached is named; the others' lines still come.

import { buildCommand } from "@stricli/core";
import type { CliContext } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { LOG_ALIASES, LOG_FLAGS, type LogFlags, printLogs } from "../service/logs.ts";

export const ingressLog = buildCommand<LogFlags, [string], CliContext>({
  docs: {
    brief: "show requests to a service's routes that have access_log",
    fullDescription: `A line is: client, host, "request", status, bytes to the client, milliseconds until the first byte and in all, the container's address.
Lines are in the nodes' journals (unit davit-ingress), and are there for as long as those keep them.`,
  },
  parameters: {
    aliases: LOG_ALIASES,
    positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames),
    flags: LOG_FLAGS,
  },
  async func(flags, ref) {
    await printLogs(this, flags, async (client, query, signal) => client.accessLog(ref, query, signal));
  },
});
