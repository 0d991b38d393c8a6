// Sentences for people: why an attempt ended or could not begin. Pure.

import type { TaskWork } from "../../../src/core/model/work.ts";
import type { PortOwner, SeenContainer } from "./types.ts";

const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  6: "SIGABRT",
  9: "SIGKILL",
  11: "SIGSEGV",
  13: "SIGPIPE",
  15: "SIGTERM",
};

/** Why a container that ran is no longer running. */
export function exitReason(container: SeenContainer, work: TaskWork): string {
  const code = container.exitCode ?? 0;
  if (container.oomKilled === true) {
    const limit = work.resources.limits.memoryBytes;
    const at = limit > 0 ? ` at its limit of ${renderBytes(limit)}` : "";
    return `out of memory: the kernel killed it${at} (exit code ${code}); give it more with deploy.resources.limits.memory`;
  }
  if (container.error !== undefined && container.error !== "") return `exit code ${code}: ${container.error}`;
  if (code === 126) return "exit code 126: its command cannot be executed";
  if (code === 127) return "exit code 127: its command was not found in the image";
  const signal = SIGNALS[code - 128];
  if (signal !== undefined) return `exit code ${code}: ended by ${signal}`;
  return `exit code ${code}`;
}

/** Why a task could not be started, from what the engine said. `portOwner`: who holds the port, if that could be found. */
export function refusalReason(
  fault: string,
  message: string,
  work: TaskWork,
  nodeName: string,
  portOwner: PortOwner,
): string {
  switch (fault) {
    case "port_taken": {
      const port = takenPort(message, work);
      if (port === undefined) return `a host port is taken on ${nodeName}: ${message}`;
      const owner = portOwner(port);
      return `port ${port} is taken on ${nodeName}${owner === undefined ? "" : ` by ${owner}`}`;
    }
    default:
      return message;
  }
}

/** "8080/tcp" out of the engine's message, if it is one of the task's. */
export function takenPort(message: string, work: TaskWork): string | undefined {
  for (const match of message.matchAll(/:(\d{1,5})\b/g)) {
    const port = work.hostPorts.find((candidate) => String(candidate.published) === match[1]);
    if (port !== undefined) return `${port.published}/${port.protocol}`;
  }
  const [only, ...others] = work.hostPorts;
  return only !== undefined && others.length === 0 ? `${only.published}/${only.protocol}` : undefined;
}

export function renderBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(1))} ${units[unit] ?? ""}`;
}
