// Runs on a host of the lab: the agent's own mesh and firewall parts, without an agent, make true what stands in a file, again whenever the
// file changes. `key` prints the public half of the host's mesh key; `remove` takes everything away; `open ADDRESS` counts connections.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { reasonOf } from "../../../src/core/model/errors.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";
import { DockerEngine } from "../../../workers/agent/engine/docker-engine.ts";
import { createSystemClock } from "../../../src/system/clock.ts";
import { configureLog, createLog } from "../../../src/system/log.ts";
import { Conntrack } from "../../../workers/agent/network/firewall/conntrack.ts";
import { FirewallPart } from "../../../workers/agent/network/firewall/firewall-part.ts";
import { LinuxHost } from "../../../workers/agent/network/firewall/linux-host.ts";
import { LinuxPorts } from "../../../workers/agent/network/firewall/linux-ports.ts";
import { PortGuard } from "../../../workers/agent/network/firewall/port-guard.ts";
import { ensureMeshKey } from "../../../workers/agent/network/mesh-key.ts";
import { MeshPart } from "../../../workers/agent/network/mesh/mesh-part.ts";
import { EndpointFinder, lookUpName } from "../../../workers/agent/network/mesh/underlay.ts";
import { runOnHost } from "../../../workers/agent/network/run-command.ts";

const DIRECTORY = "/var/lib/davit-net";
const LOOK_MS = 20;

configureLog("info");
const clock = createSystemClock();
const conntrack = new Conntrack(runOnHost);
const finder = new EndpointFinder(lookUpName, createLog("firewall"));
mkdirSync(DIRECTORY, { recursive: true });
const mesh = new MeshPart({
  run: runOnHost,
  lookup: lookUpName,
  log: createLog("mesh"),
  keyPath: `${DIRECTORY}/mesh.key`,
  directory: `${DIRECTORY}/mesh`,
  unitDirectory: "/etc/systemd/system",
});
const firewall = new FirewallPart({
  host: new LinuxHost(runOnHost, clock),
  clock,
  log: createLog("firewall"),
  conntrack,
  ports: new PortGuard(new LinuxPorts(runOnHost, new DockerEngine("/var/run/docker.sock")), createLog("firewall")),
  endpointsOf: (nodes) => finder.find(nodes),
});

async function keep(): Promise<never> {
  let last = "";
  for (;;) {
    const text = readFileSync(`${DIRECTORY}/view.json`, "utf8");
    if (text !== last && text.endsWith("\n")) {
      last = text;
      await make(text);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The last line of `applied` is the number of the view and how long the firewall took, or what was in the way. */
async function make(text: string): Promise<void> {
  const { number, view } = JSON.parse(text) as { readonly number: number; readonly view: NetworkView };
  try {
    await mesh.apply(view);
    const started = performance.now();
    await firewall.apply(view);
    writeFileSync(`${DIRECTORY}/applied`, `${number} ${(performance.now() - started).toFixed(1)}\n`);
  } catch (error) {
    writeFileSync(`${DIRECTORY}/applied`, `${number} failed: ${reasonOf(error)}\n`);
  }
}

const [verb, argument = ""] = process.argv.slice(2);
if (verb === "key") process.stdout.write(`${ensureMeshKey(`${DIRECTORY}/mesh.key`)}\n`);
else if (verb === "open") process.stdout.write(`${await conntrack.openTo(argument)}\n`);
else if (verb === "remove") for (const part of [firewall, mesh]) await part.remove();
else await keep();
process.exit(0);
