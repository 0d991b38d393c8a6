// The agent's composition root: `davit agent` runs it, `davit agent keygen` makes the node's key, `davit agent dial control|http`
// joins standard input and output to one of its sockets, `davit agent network-remove` takes its network away from the host. Here adapters are made and timers of the edges are set; nothing decides.

import { mkdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { createVerifier } from "../../src/auth/verifier.ts";
import { DavitError, reasonOf } from "../../src/core/model/errors.ts";
import { createSystemClock } from "../../src/system/clock.ts";
import { createHasher } from "../../src/system/hasher.ts";
import { configureLog, createLog, type LogLevel } from "../../src/system/log.ts";
import { createSystemRandom } from "../../src/system/random.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { NetworkPart } from "../../src/ports/node-network.ts";
import packageJson from "../../package.json" with { type: "json" };
import { AgentCore } from "./agent-core.ts";
import { agentPaths, type AgentPaths, type NodeConfig, readNodeConfig } from "./config.ts";
import { dial } from "./dial.ts";
import { DockerEngine } from "./engine/docker-engine.ts";
import { createProbeRunner } from "./health/probe-runner.ts";
import { HostReporter } from "./host/host-reporter.ts";
import { lookAtPorts } from "./host/listening.ts";
import { NodeFactsReader } from "./host/node-facts.ts";
import { readBootId } from "./host/proc.ts";
import { createSdNotify, type SdNotify } from "./host/sd-notify.ts";
import { serveBulk } from "./http/server.ts";
import { ImageCollector } from "./loop/image-collector.ts";
import type { PoolLimits } from "./loop/reconciler.ts";
import { Activator } from "./network/activator/activator.ts";
import { Calls } from "./network/activator/calls.ts";
import { createIngress } from "./network/ingress/create-ingress.ts";
import type { IngressPart } from "./network/ingress/ingress-part.ts";
import { ensureMeshKey } from "./network/mesh-key.ts";
import { ResolverPart } from "./network/dns/resolver-part.ts";
import { Conntrack } from "./network/firewall/conntrack.ts";
import { FirewallPart } from "./network/firewall/firewall-part.ts";
import { LinuxHost } from "./network/firewall/linux-host.ts";
import { LinuxPorts } from "./network/firewall/linux-ports.ts";
import { PortGuard } from "./network/firewall/port-guard.ts";
import { MeshPart } from "./network/mesh/mesh-part.ts";
import { EndpointFinder, lookUpName } from "./network/mesh/underlay.ts";
import { removeNetwork } from "./network/remove-network.ts";
import { runOnHost } from "./network/run-command.ts";
import { createWiring } from "./network/wiring.ts";
import { TcpLinks } from "./peers/tcp-links.ts";
import { listenForControl } from "./session/control-server.ts";
import { createAgentDisk } from "./state/disk.ts";
import { claimState } from "./state/identity.ts";
import { ensureAgentKey, loadAgentSigner } from "./trust/agent-key.ts";
import { IssuerKeys } from "./trust/issuer-keys.ts";

/** A third of the unit's WatchdogSec=30. */
const ALIVE_EVERY_MS = 10_000;

/** Runs `davit agent …`; resolves with the exit code. */
export async function runAgent(argv: readonly string[]): Promise<number> {
  const paths = agentPaths(process.env);
  try {
    switch (argv[0]) {
      case undefined:
        return await serve(paths);
      case "keygen":
        process.stdout.write(`${await ensureAgentKey(`${paths.configDir}/agent.key`)}\n`);
        return 0;
      case "dial":
        if (argv[1] === "control") return await dial(`${paths.runtimeDir}/control.sock`);
        if (argv[1] === "http") return await dial(`${paths.runtimeDir}/agent.sock`);
        break;
      case "network-remove":
        return await removeNetwork(createParts(paths, new DockerEngine(paths.engineSocket)).parts);
    }
    throw new DavitError("invalid_input", `run agent: unknown arguments "${argv.join(" ")}"`, {
      wayOut: "davit agent | davit agent keygen | davit agent dial control|http | davit agent network-remove",
    });
  } catch (error) {
    const wayOut = error instanceof DavitError && error.wayOut !== undefined ? `\n  ${error.wayOut}` : "";
    process.stderr.write(`davit: ${reasonOf(error)}${wayOut}\n`);
    return 1;
  }
}

async function serve(paths: AgentPaths): Promise<number> {
  configureLog((process.env["DAVIT_LOG"] ?? "info") as LogLevel);
  const config = readNodeConfig(paths.configDir);
  mkdirSync(paths.runtimeDir, { recursive: true, mode: 0o750 });
  const systemd = createSdNotify(process.env["NOTIFY_SOCKET"]);
  const { core, reporter, collector, engine, ingress } = await assemble(paths, config);
  const groupId = groupIdOf("davit");
  const control = listenForControl(`${paths.runtimeDir}/control.sock`, groupId, (stream) => core.accept(stream));
  const bulk = await serveBulk(`${paths.runtimeDir}/agent.sock`, groupId, { core, engine, ingress });
  const stopping = stopSignal();
  systemd.ready();
  const pulse = keepAlive(systemd, core);
  reporter.start();
  collector.start();
  await core.run(stopping);
  systemd.stopping();
  clearInterval(pulse);
  reporter.stop();
  collector.stop();
  control.stop(true);
  bulk.close();
  await core.close();
  return 0;
}

type Assembled = {
  readonly core: AgentCore;
  readonly reporter: HostReporter;
  readonly collector: ImageCollector;
  readonly engine: DockerEngine;
  readonly ingress: IngressPart;
};

async function assemble(paths: AgentPaths, config: NodeConfig): Promise<Assembled> {
  const clock = createSystemClock();
  const log = createLog("agent");
  const disk = createAgentDisk(paths.stateDir, paths.runtimeDir);
  await claimState(disk, config, log);
  const engine = new DockerEngine(paths.engineSocket);
  const issuerKeys = await IssuerKeys.load(disk, config.issuerKeys);
  const bootId = readBootId();
  const meshKey = ensureMeshKey(meshKeyPath(paths));
  const facts = new NodeFactsReader(engine, { bootId, agentVersion: packageJson.version, meshKey }, () =>
    ownPorts(core),
  );
  const conntrack = new Conntrack(runOnHost);
  const { parts, ingress } = createParts(paths, engine);
  const core: AgentCore = await AgentCore.load(
    {
      engine,
      clock,
      random: createSystemRandom(),
      log,
      disk,
      hasher: createHasher(),
      verifier: createVerifier(() => issuerKeys.all),
      signer: await loadAgentSigner(`${paths.configDir}/agent.key`),
      issuerKeys,
      probes: createProbeRunner(engine, clock),
      portOwners: lookAtPorts,
      wiring: createWiring(engine, runOnHost, resolvConfDirectory(paths)),
      nodeFacts: () => facts.read(),
      parts,
      connections: conntrack,
      calls: createCalls(conntrack, ingress, clock),
      peers: { links: new TcpLinks(), verifierOf: (publicJwk) => createVerifier(() => [publicJwk]) },
    },
    {
      nodeId: config.nodeId,
      clusterId: config.clusterId,
      bootId,
      version: packageJson.version,
      limits: poolLimits(cpus().length),
    },
  );
  const reporter = new HostReporter(core, facts, paths.stateDir);
  const collector = new ImageCollector({
    engine,
    disk,
    clock,
    log,
    core,
    diskOf: () => facts.engineRoot ?? paths.stateDir,
  });
  return { core, reporter, collector, engine, ingress };
}

/** Who sees which services are called here: the kernel's doors, and the ingress. */
function createCalls(conntrack: Conntrack, ingress: IngressPart, clock: Clock): Calls {
  const log = createLog("activator");
  return new Calls({
    activator: new Activator({ clock, log }),
    clock,
    log,
    witnesses: [(services) => conntrack.called(services), (services) => ingress.called(services)],
  });
}

/** What makes the routes true on the host, in the order in which it is put in force: the mesh before all that runs over it. */
function createParts(
  paths: AgentPaths,
  engine: DockerEngine,
): { readonly parts: readonly NetworkPart[]; readonly ingress: IngressPart } {
  const run = runOnHost;
  const finder = new EndpointFinder(lookUpName, createLog("firewall"));
  const clock = createSystemClock();
  const ingress = createIngress({
    run,
    clock,
    hasher: createHasher(),
    log: createLog("ingress"),
    stateDir: paths.stateDir,
  });
  const parts = [
    new MeshPart({
      run,
      lookup: lookUpName,
      log: createLog("mesh"),
      keyPath: meshKeyPath(paths),
      directory: `${paths.stateDir}/mesh`,
      unitDirectory: "/etc/systemd/system",
    }),
    new FirewallPart({
      host: new LinuxHost(run, clock),
      clock,
      log: createLog("firewall"),
      conntrack: new Conntrack(run),
      ports: new PortGuard(new LinuxPorts(run, engine), createLog("firewall")),
      endpointsOf: (nodes) => finder.find(nodes),
    }),
    new ResolverPart({
      run,
      clock,
      log: createLog("resolver"),
      directory: resolvConfDirectory(paths),
      hostResolvConf: "/etc/resolv.conf",
    }),
    ingress,
  ];
  return { parts, ingress };
}

function meshKeyPath(paths: AgentPaths): string {
  return `${paths.configDir}/mesh.key`;
}

/** On the disk: containers that start at boot are shown the files in it. */
function resolvConfDirectory(paths: AgentPaths): string {
  return `${paths.stateDir}/names`;
}

/** Starts are what a machine bears least: two a core. Stops mostly wait, so they may be many, and never hold up starts. */
function poolLimits(cores: number): PoolLimits {
  return { look: 8, make: 8, pull: 3, start: Math.min(16, Math.max(2, cores * 2)), hook: 16, stop: 64 };
}

function ownPorts(core: AgentCore): ReadonlySet<string> {
  const running = core.view.containers.filter((container) => container.state === "running");
  return new Set(running.flatMap((container) => (container.labels["davit.ports"] ?? "").split(",")));
}

/** The watchdog hears from a timer of the main loop: a loop that hangs falls silent. */
function keepAlive(systemd: SdNotify, core: AgentCore): ReturnType<typeof setInterval> {
  const tell = (): void => {
    systemd.alive();
    systemd.status(core.state);
  };
  tell();
  return setInterval(tell, ALIVE_EVERY_MS);
}

function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
}

/** Undefined where the group does not exist: sockets then are root's alone. */
function groupIdOf(name: string): number | undefined {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(":")[2]);
}
