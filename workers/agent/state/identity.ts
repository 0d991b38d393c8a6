// Whose state this is. After a new join the node has another id: what was held for the old one must not be acted on, so it is put
// back to nothing before anything is read.

import type { Log } from "../../../src/ports/log.ts";
import type { NodeConfig } from "../config.ts";
import { CONFIG_DIRECTORY } from "../configs/config-store.ts";
import { ROUTES_FILE } from "./held-routes.ts";
import type { AgentDisk } from "./disk.ts";

const FILE = "identity.json";
/** Everything that is held for one node of one cluster. */
const HELD_FILES = ["work.json", ROUTES_FILE, "attempts.json", "epoch.json", "issuers.json", "images.json"];

/** Makes the state directory this node's; resolves when that is durable. */
export async function claimState(disk: AgentDisk, config: NodeConfig, log: Log): Promise<void> {
  const mine = JSON.stringify({ nodeId: config.nodeId, clusterId: config.clusterId });
  const found = await disk.read(FILE);
  if (found === mine) return;
  if (found !== undefined) {
    log.warn("state of another join is dropped", { node: config.nodeId });
    for (const name of HELD_FILES) await disk.remove(name);
    for (const name of await disk.list(CONFIG_DIRECTORY)) await disk.remove(`${CONFIG_DIRECTORY}/${name}`);
  }
  await disk.write(FILE, mine);
}
