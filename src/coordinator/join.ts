// The join of a host and its end, around what ssh/bootstrap does on the host itself: a name, a subnet, the record, and the wait until the
// session stands. Several run at once; what one has reserved no other takes.

import { isIP } from "node:net";
import { DavitError } from "../core/model/errors.ts";
import { ID_BYTES, idFromBytes, type NodeId } from "../core/model/ids.ts";
import { DEFAULT_MESH_PORT, type Node } from "../core/model/records.ts";
import { nextSubnet, parseCidr } from "../core/model/subnets.ts";
import type { JoinProgress, JoinRequest } from "../core/model/views.ts";
import type { State } from "../core/model/world.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { joinHost, type JoinOutcome } from "../ssh/bootstrap/join-host.ts";
import type { HandshakeGates } from "../ssh/gate.ts";
import type { AgentBinary, Architecture } from "./agent-binary.ts";
import { clusterOf } from "./begin.ts";
import type { CommitDoor } from "./commit-door.ts";
import { nodeEvent } from "./observations.ts";

/** From the commit of the record to the first beat: the agent answered already, so only a session is missing. */
const READY_TIMEOUT_MS = 20_000;
const LOOK_EVERY_MS = 50;
const NAME = /^[a-z0-9][a-z0-9.-]{0,62}$/;

export type JoinsInput = {
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly random: Random;
  readonly gates: HandshakeGates;
  readonly issuerKeys: () => readonly string[];
  readonly clusterKey: { readonly publicKey: string; readonly privateKey: string };
  readonly binaryFor: (architecture: Architecture) => Promise<AgentBinary>;
  readonly isReady: (id: NodeId) => boolean;
  readonly messageOf: (id: NodeId) => string;
};

export class Joins {
  readonly #input: JoinsInput;
  readonly #names = new Set<string>();
  readonly #subnets = new Set<string>();
  readonly #hosts = new Set<string>();

  constructor(input: JoinsInput) {
    this.#input = input;
  }

  /** Resolves with the node's id once it is ready. Rejects with DavitError in words; run it again to go on where it stopped. */
  async join(request: JoinRequest, report: (progress: JoinProgress) => void, signal: AbortSignal): Promise<NodeId> {
    const host = `${request.host}:${request.port}`;
    if (this.#hosts.has(host))
      throw new DavitError("conflict", `join ${host}: a join of this host is under way`, {
        wayOut: "wait for it to end",
      });
    if (request.name !== undefined) this.#checkName(request.name);
    this.#hosts.add(host);
    const reserved: { name?: string; subnet?: string } = {};
    try {
      const outcome = await this.#bootstrap(request, reserved, report, signal);
      return outcome;
    } finally {
      this.#hosts.delete(host);
      if (reserved.name !== undefined) this.#names.delete(reserved.name);
      if (reserved.subnet !== undefined) this.#subnets.delete(reserved.subnet);
    }
  }

  async #bootstrap(
    request: JoinRequest,
    reserved: { name?: string; subnet?: string },
    report: (progress: JoinProgress) => void,
    signal: AbortSignal,
  ): Promise<NodeId> {
    const { door, clock, random, gates, issuerKeys, clusterKey, binaryFor } = this.#input;
    const cluster = clusterOf(door.state);
    const id = idFromBytes<"node">(random.bytes(ID_BYTES));
    const startedMs = clock.bootMs();
    const { name: _name, labels: _labels, meshEndpoint, ...access } = request;
    const outcome = await joinHost({
      request: access,
      clusterId: cluster.id,
      nodeId: id,
      nameOf: (hostName) => (reserved.name = this.#takeName(request.name ?? hostName)),
      addressPool: cluster.addressPool,
      mesh: { port: cluster.meshPort ?? DEFAULT_MESH_PORT, encryption: cluster.encryption ?? "wireguard" },
      published: publishedBy(door.state),
      ...(meshEndpoint === undefined ? {} : { meshHost: meshEndpoint.host }),
      members: new Map([...door.state.node.values()].map((node) => [node.id as string, node.name])),
      issuerKeys: issuerKeys(),
      clusterKey,
      binaryFor,
      gates,
      wallNowMs: () => clock.nowMs(),
      nowMs: () => clock.bootMs(),
      report: (progress) => {
        if (signal.aborted)
          throw new DavitError("unavailable", `join ${request.host}: stopped on request`, {
            wayOut: "run the same command again: it goes on where it stopped",
          });
        report(progress);
      },
    });
    reserved.subnet = this.#takeSubnet(cluster.addressPool);
    await this.#record(id, request, outcome, reserved.subnet);
    await this.#waitReady(id, outcome.nodeName);
    report({
      step: "ready",
      state: "done",
      message: `${outcome.nodeName} is ready, its containers get addresses of ${reserved.subnet}`,
      elapsedMs: clock.bootMs() - startedMs,
    });
    return id;
  }

  async #record(id: NodeId, request: JoinRequest, outcome: JoinOutcome, subnet: string): Promise<void> {
    const { door, clock } = this.#input;
    const node: Node = {
      id,
      index: 1,
      name: outcome.nodeName,
      address: { host: request.host, port: request.port },
      hostKey: outcome.hostKey,
      agentKey: outcome.agentKey,
      jump: outcome.jump,
      labels: request.labels ?? {},
      ...(request.meshEndpoint === undefined ? {} : { meshEndpoint: request.meshEndpoint }),
      availability: "active",
      subnet,
      reserved: { cpus: 0, memoryBytes: 0, generic: {} },
      joinedAtMs: clock.nowMs(),
    };
    await door.commit((state) => {
      const same = [...state.node.values()].find(
        (other) =>
          other.address.host === node.address.host &&
          other.address.port === node.address.port &&
          other.hostKey === node.hostKey,
      );
      if (same !== undefined)
        throw new DavitError("already_exists", `join ${request.host}: it is node ${same.name} already`, {
          wayOut: `davit node inspect ${same.name}`,
        });
      const address = isIP(request.host) === 0 ? request.host : `${request.host}:${request.port}`;
      const audit = [
        {
          actor: "socket",
          action: "node.add",
          subject: node.name,
          outcome: "ok" as const,
          message: `joined ${request.user}@${address}`,
        },
      ];
      return {
        changes: [{ op: "put", kind: "node", record: node }],
        guards: [{ kind: "node", id, index: 0 }],
        events: [
          {
            ...nodeEvent(state, id, "node.joined", `joined as ${node.name}`),
            subject: { kind: "node", id, name: node.name },
            message: `${node.name} joined`,
          },
        ],
        audit,
        result: undefined,
      };
    });
  }

  async #waitReady(id: NodeId, name: string): Promise<void> {
    const { clock, isReady, messageOf, door } = this.#input;
    const untilMs = clock.bootMs() + READY_TIMEOUT_MS;
    while (!isReady(id) || !door.state.nodeStatus.has(id)) {
      if (clock.bootMs() > untilMs) {
        throw new DavitError(
          "timeout",
          `join ${name}: its agent runs, but no session stands after ${READY_TIMEOUT_MS / 1_000} s: ${messageOf(id) || "no beat came"}`,
          {
            wayOut: `davit node ls shows when it is ready; on the host: journalctl -u davit-agent`,
          },
        );
      }
      await clock.sleep(LOOK_EVERY_MS);
    }
  }

  #checkName(name: string): void {
    if (!NAME.test(name))
      throw new DavitError("invalid_input", `join: '${name}' is not a node name`, {
        wayOut: "use 1–63 characters of [a-z0-9.-], the first a letter or digit",
      });
    if (this.#isTaken(name))
      throw new DavitError("already_exists", `join: a node named ${name} exists`, {
        wayOut: "choose another with --name",
      });
  }

  #isTaken(name: string): boolean {
    return this.#names.has(name) || [...this.#input.door.state.node.values()].some((node) => node.name === name);
  }

  /** The wanted name, or the first of name-2, name-3, … that is free. */
  #takeName(wanted: string): string {
    const base =
      wanted
        .toLowerCase()
        .replaceAll(/[^a-z0-9.-]/g, "-")
        .replace(/^[.-]+/, "")
        .slice(0, 58) || "node";
    let name = base;
    for (let number = 2; this.#isTaken(name); number++) name = `${base}-${number}`;
    this.#names.add(name);
    return name;
  }

  #takeSubnet(pool: string): string {
    const { node: nodes, freedAddress } = this.#input.door.state;
    const taken = new Set([
      ...this.#subnets,
      ...[...nodes.values()].map((node) => node.subnet),
      ...freedAddress.keys(),
    ]);
    const subnet = nextSubnet(parseCidr(pool), taken);
    if (subnet === undefined)
      throw new DavitError("conflict", `join: the address pool ${pool} has no subnet left`, {
        wayOut: "remove nodes that are gone: davit node rm --force",
      });
    this.#subnets.add(subnet);
    return subnet;
  }
}

/** Names of the services by the ports that every node answers on for them: "tcp/8100". */
function publishedBy({ service: services }: State): ReadonlyMap<string, string> {
  return new Map(
    [...services.values()].flatMap(({ name, ports = [] }) =>
      ports.map(({ protocol, published }) => [`${protocol}/${published}`, name] as const),
    ),
  );
}
