// The ingress part with what it needs of the real host.

import type { Clock } from "../../../../src/ports/clock.ts";
import type { Hasher } from "../../../../src/ports/hasher.ts";
import type { Log } from "../../../../src/ports/log.ts";
import { lookAtPorts } from "../../host/listening.ts";
import type { HostCommand } from "../run-command.ts";
import { createIngressFiles } from "./ingress-files.ts";
import { IngressPart } from "./ingress-part.ts";
import { createProxySocket } from "./proxy-socket.ts";
import { ProxyUnit, UNIT_DIRECTORY } from "./proxy-unit.ts";
import type { IngressPaths } from "./render-config.ts";

/** `stateDir`: the agent's own directory on the disk. */
export function createIngress(ports: {
  readonly stateDir: string;
  readonly run: HostCommand;
  readonly clock: Clock;
  readonly log: Log;
  readonly hasher: Hasher;
}): IngressPart {
  const { stateDir, run, clock, log, hasher } = ports;
  const paths: IngressPaths = { directory: `${stateDir}/ingress`, runtimeDirectory: "/run/davit-ingress" };
  return new IngressPart({
    paths,
    files: createIngressFiles(paths.directory),
    stateFiles: createIngressFiles(stateDir),
    unit: new ProxyUnit(run, paths, createIngressFiles(UNIT_DIRECTORY)),
    socket: createProxySocket(`${paths.runtimeDirectory}/master.sock`),
    clock,
    log,
    hash: (text) => hasher.hash(text),
    portOwners: lookAtPorts,
  });
}
