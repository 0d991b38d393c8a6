// What the engine is told so that containers stand in the cluster's network: how the bridge is made, and which file is their resolv.conf.

import { existsSync, readFileSync } from "node:fs";
import type { ContainerEngine } from "../../../src/ports/container-engine.ts";
import { bridgeOptions } from "../engine/bridge-options.ts";
import type { Wiring } from "../loop/execute.ts";
import { resolvConfPath } from "./dns/resolver-part.ts";
import { bridgeMtu } from "./mesh/plan-mesh.ts";
import { linkMtu } from "./mesh/underlay.ts";
import type { HostCommand } from "./run-command.ts";

/** `resolvConfDirectory`: where the resolver writes the tasks' files. */
export function createWiring(engine: ContainerEngine, run: HostCommand, resolvConfDirectory: string): Wiring {
  return {
    async bridgeOptions(name) {
      const { version } = await engine.info();
      return bridgeOptions(name, version, bridgeMtu(await linkMtu(run, [], mtuOfLink)));
    },
    resolvConf(task) {
      const path = resolvConfPath(resolvConfDirectory, task);
      return existsSync(path) ? path : undefined;
    },
  };
}

function mtuOfLink(link: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${link}/mtu`, "utf8"));
  } catch {
    return undefined;
  }
}
