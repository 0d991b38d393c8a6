// Reads back what the agent wrote. Its writes are atomic, so a file that cannot be read was damaged by something else: the agent does
// not start on a guess, and says which file and what to do.

import { DavitError } from "../../../src/core/model/errors.ts";
import type { AgentDisk } from "./disk.ts";

/** The value of a durable file; undefined when it was never written. Throws `storage_failed` when it is damaged. */
export async function readState(disk: AgentDisk, name: string): Promise<unknown> {
  const text = await disk.read(name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DavitError("storage_failed", `read ${name}: it is damaged`, {
      cause,
      wayOut: `move it away, and work.json with it, from the agent's state directory, and restart davit-agent: running containers are adopted, the coordinator sends the rest again`,
    });
  }
}
