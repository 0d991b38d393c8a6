// Takes from the host what the network parts put there: the node leaves its cluster. Every part is asked, whatever the others say.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { NetworkPart } from "../../../src/ports/node-network.ts";

/** In the reverse of the order in which they are put in force. Gives the exit code; what went wrong is on standard error. */
export async function removeNetwork(parts: readonly NetworkPart[]): Promise<number> {
  let failed = 0;
  for (const part of parts.toReversed()) {
    try {
      await part.remove();
    } catch (error) {
      failed = 1;
      process.stderr.write(`davit: remove ${part.name}: ${reasonOf(error)}\n`);
    }
  }
  return failed;
}
