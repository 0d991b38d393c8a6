// Keeps one session with each node: connects, reconnects with growing waits, tries through another node when a lease is about to end,
// and sends work when commits touched it. Which nodes exist is read from the state; a node that is gone loses its session.

import { reasonOf } from "../core/model/errors.ts";
import { asId, type NodeId } from "../core/model/ids.ts";
import type { Change, Node } from "../core/model/records.ts";
import type { State } from "../core/model/world.ts";
import type { Timer } from "../ports/clock.ts";
import type { AgentDialer, ControlStream } from "../ports/node-session.ts";
import type { Random } from "../ports/random.ts";
import { NodeSession, type SessionContext } from "./node-session.ts";
import { RoutesChanges } from "./routes-sender.ts";
import { RoutesTurns } from "./routes-turns.ts";

/** How long until the next try: attempt 0 is the first after a loss. `fraction` spreads nodes apart. */
export type ReconnectPolicy = (attempt: number, fraction: number) => number;

/** Through how many other nodes a silent one is tried at once. */
const MAX_SECOND_LOOKS = 2;

type Link = {
  node: Node;
  session: NodeSession | undefined;
  /** What the last try said; shown to users while the node is not in contact. */
  message: string;
  attempt: number;
  timer: Timer | undefined;
  dialing: boolean;
};

export type SessionsInput = {
  readonly dialer: AgentDialer<Node>;
  readonly random: Random;
  readonly reconnectMs: ReconnectPolicy;
  readonly state: () => State;
  readonly context: Omit<SessionContext, "isFreeForRoutes" | "routesChanges">;
  readonly onContact: (id: NodeId) => void;
};

export class Sessions {
  readonly #input: SessionsInput;
  readonly #context: SessionContext;
  readonly #links = new Map<NodeId, Link>();
  readonly #routes: RoutesTurns;
  #stopped = false;

  constructor(input: SessionsInput) {
    this.#input = input;
    this.#routes = new RoutesTurns(input.context.clock);
    this.#context = {
      ...input.context,
      routesChanges: new RoutesChanges(),
      isFreeForRoutes: (session) => this.#routes.add([session]),
    };
  }

  /** Makes the links match the nodes of the state; call it at start and after commits that changed nodes. */
  sync(): void {
    if (this.#stopped) return;
    const { node: nodes } = this.#input.state();
    for (const node of nodes.values()) {
      const link = this.#links.get(node.id);
      if (link === undefined) {
        this.#links.set(node.id, {
          node,
          session: undefined,
          message: "not connected yet",
          attempt: 0,
          timer: undefined,
          dialing: false,
        });
        this.#dialSoon(node.id);
      } else if (link.node !== node) {
        this.#replaceNode(link, node);
      }
    }
    for (const [id, link] of this.#links) {
      if (nodes.has(id)) continue;
      this.#links.delete(id);
      link.timer?.cancel();
      link.session?.close("the node was removed", true);
    }
  }

  #replaceNode(link: Link, node: Node): void {
    const moved =
      JSON.stringify(link.node.address) !== JSON.stringify(node.address) || link.node.hostKey !== node.hostKey;
    link.node = node;
    if (!moved) return;
    link.session?.close("the node's address changed");
    this.#retryNow(link);
  }

  #retryNow(link: Link): void {
    link.timer?.cancel();
    link.timer = undefined;
    link.attempt = 0;
    this.#dialSoon(link.node.id);
  }

  /** The sentence to show for a node that is not in contact. */
  messageOf(id: NodeId): string {
    const link = this.#links.get(id);
    if (link === undefined) return "not connected yet";
    return link.session === undefined ? link.message : "";
  }

  isOpen(id: NodeId): boolean {
    return this.#links.get(id)?.session !== undefined;
  }

  /** Sends work to each node that these committed changes touch. */
  pushWork(touched: ReadonlySet<NodeId>): void {
    for (const id of touched) this.#links.get(id)?.session?.sendWork();
  }

  /** Every node is told of every route. */
  pushRoutes(): void {
    this.#routes.add([...this.#links.values()].flatMap(({ session }) => session ?? []));
  }

  /** For how long, in milliseconds, a node in contact has had routes that it did not apply. */
  routesBehindMs(id: NodeId): number {
    return this.#links.get(id)?.session?.routesBehindMs ?? 0;
  }

  /** Tries a silent node through others that are in contact. True if a session stands after it. */
  async lookThrough(id: NodeId): Promise<boolean> {
    const link = this.#links.get(id);
    if (link === undefined) return false;
    // the direct way may have come back just now
    if (link.session === undefined) this.#retryNow(link);
    const others = [...this.#links.values()]
      .filter((other) => other.node.id !== id && other.session !== undefined)
      .slice(0, MAX_SECOND_LOOKS);
    const tries = others.map(async (other) => {
      const stream = await this.#input.dialer.control(link.node, other.node);
      await this.#adopt(link, stream);
    });
    const results = await Promise.allSettled(tries);
    return results.some((result) => result.status === "fulfilled") || link.session !== undefined;
  }

  /** Ends every session; each is opened again at once. */
  reopen(reason: string): void {
    for (const link of this.#links.values()) link.session?.close(reason);
  }

  /** Says goodbye to all and takes no more. */
  stop(reason: string): void {
    this.#stopped = true;
    for (const link of this.#links.values()) {
      link.timer?.cancel();
      link.session?.close(reason, true);
    }
  }

  /** The owner calls it when a session ended: the next try is due. */
  sessionClosed(session: NodeSession, reason: string): void {
    const link = this.#links.get(session.node.id);
    if (link === undefined || link.session !== session) return;
    link.session = undefined;
    link.message = `the connection ended: ${reason}`;
    link.attempt = 0;
    this.#dialSoon(session.node.id);
  }

  #dialSoon(id: NodeId): void {
    const link = this.#links.get(id);
    if (link === undefined || this.#stopped || link.timer !== undefined || link.session !== undefined) return;
    const { random, reconnectMs, context } = this.#input;
    const waitMs = reconnectMs(link.attempt, random.fraction());
    link.attempt += 1;
    link.timer = context.clock.after(waitMs, () => {
      link.timer = undefined;
      void this.#dial(link);
    });
  }

  async #dial(link: Link): Promise<void> {
    if (link.dialing || link.session !== undefined || this.#stopped) return;
    link.dialing = true;
    try {
      const stream = await this.#input.dialer.control(link.node);
      await this.#adopt(link, stream);
    } catch (error) {
      link.message = reasonOf(error);
      this.#input.context.log.debug("no session", { node: link.node.name, reason: link.message });
    } finally {
      link.dialing = false;
    }
    if (this.#links.get(link.node.id) === link) this.#dialSoon(link.node.id);
  }

  /** Opens a session on a stream and makes it the node's; an older one is closed, as its agent does from its side. */
  async #adopt(link: Link, stream: ControlStream): Promise<void> {
    const session = await NodeSession.open(link.node, stream, this.#context);
    if (this.#stopped || this.#links.get(link.node.id) !== link) return session.close("no longer wanted");
    const older = link.session;
    link.session = session;
    link.message = "";
    link.attempt = 0;
    older?.close("a newer session took over");
    this.#input.onContact(link.node.id);
    // before the work: no container starts before the routes that list it are in force
    session.sendRoutes();
    session.sendWork();
  }
}

/** Which nodes' work these changes touch: by the tasks' nodes before and after, and by what all nodes are told. */
export class WorkIndex {
  readonly #nodeOfTask = new Map<string, NodeId>();
  readonly #tasksOfNode = new Map<NodeId, Set<string>>();

  constructor(state: State) {
    for (const task of state.task.values()) if (task.nodeId !== undefined) this.#place(task.id, task.nodeId);
  }

  tasksOf(id: NodeId): ReadonlySet<string> {
    return this.#tasksOfNode.get(id) ?? new Set();
  }

  /** Follows committed changes; gives the nodes to send work to. */
  follow(changes: readonly Change[], state: State): ReadonlySet<NodeId> {
    const touched = new Set<NodeId>();
    for (const change of changes) {
      switch (change.kind) {
        case "task":
          this.#followTask(change, touched);
          break;
        case "node":
          touched.add(asId(change.op === "put" ? change.record.id : change.id));
          break;
        case "volumePin":
          if (change.op === "put") for (const id of change.record.nodeIds) touched.add(id);
          break;
        case "registryLogin":
        case "issuerKey":
          for (const id of state.node.keys()) touched.add(asId(id));
          break;
        default:
      }
    }
    return touched;
  }

  #followTask(change: Extract<Change, { kind: "task" }>, touched: Set<NodeId>): void {
    const id = change.op === "put" ? change.record.id : change.id;
    const before = this.#nodeOfTask.get(id);
    const after = change.op === "put" ? change.record.nodeId : undefined;
    if (before !== undefined) touched.add(before);
    if (after !== undefined) touched.add(after);
    if (before === after) return;
    if (before !== undefined) this.#tasksOfNode.get(before)?.delete(id);
    this.#nodeOfTask.delete(id);
    if (after !== undefined) this.#place(id, after);
  }

  #place(taskId: string, nodeId: NodeId): void {
    this.#nodeOfTask.set(taskId, nodeId);
    const tasks = this.#tasksOfNode.get(nodeId) ?? new Set<string>();
    this.#tasksOfNode.set(nodeId, tasks.add(taskId));
  }
}
