// Puts the coordinator's parts together on its ports: the door, the loops, the sessions, and what happens when one of them has news.
// No decision is made here; each arrow of the drawing in docs/architecture.md is a line below.

import { DavitError } from "../core/model/errors.ts";
import { ID_BYTES, idFromBytes, type NodeId } from "../core/model/ids.ts";
import type { NextTick } from "../core/model/job.ts";
import type { EpochChain } from "../core/model/lease.ts";
import type { Node } from "../core/model/records.ts";
import type { Measured, NodeProgress, State, World } from "../core/model/world.ts";
import { isLost } from "../core/reconcile/health.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Hasher } from "../ports/hasher.ts";
import type { Log } from "../ports/log.ts";
import type { AgentDialer } from "../ports/node-session.ts";
import type { Random } from "../ports/random.ts";
import type { CommitDoor } from "./commit-door.ts";
import { ControlLoop } from "./control-loop.ts";
import type { SessionEvents } from "./node-session.ts";
import { Observations } from "./observations.ts";
import { lagging } from "../core/reconcile/acknowledged.ts";
import { PresenceLoop } from "./presence.ts";
import { RoutesDocuments } from "./routes-documents.ts";
import { ScaleLoop } from "./scale-loop.ts";
import { type ReconnectPolicy, Sessions, WorkIndex } from "./sessions.ts";
import type { Trust } from "./trust.ts";
import { configOf, WorkDocuments } from "./work-documents.ts";

export type CoordinatorInput = {
  readonly door: CommitDoor;
  readonly chain: EpochChain;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly nextTick: NextTick;
  readonly log: Log;
  readonly dialer: AgentDialer<Node>;
  readonly reconnectMs: ReconnectPolicy;
  readonly trust: Trust;
  readonly unseal: (sealed: string) => string;
  /** An agent obeys another chain of epochs: this coordinator must end. */
  readonly forked: (error: DavitError) => void;
  /** Tells the SSH side that a node is gone. */
  readonly forget: (id: NodeId) => void;
};

type Acknowledged = { readonly inReach: number; readonly byAll: number };

export class Coordinator {
  readonly #input: CoordinatorInput;
  readonly #measured = new Map<NodeId, Measured>();
  readonly #progress = new Map<NodeId, NodeProgress>();
  readonly #index: WorkIndex;
  readonly #documents: WorkDocuments;
  readonly #routes: RoutesDocuments;
  readonly #observations: Observations;
  readonly #presence: PresenceLoop;
  readonly #sessions: Sessions;
  readonly #loop: ControlLoop;
  readonly #scale: ScaleLoop;
  readonly #listeners = new Set<() => void>();
  /** What nodes had acknowledged when one did last; undefined once others count. */
  #known: Acknowledged | undefined;
  #acknowledgedSoon: Timer | undefined;

  constructor(input: CoordinatorInput) {
    this.#input = input;
    const { door, clock, random, hasher, log } = input;
    this.#index = new WorkIndex(door.state);
    this.#documents = new WorkDocuments({ hasher, unseal: input.unseal });
    this.#routes = new RoutesDocuments(hasher, door.state, input.unseal);
    this.#observations = new Observations(door, clock, log.with({ part: "observations" }));
    this.#loop = new ControlLoop({
      door,
      clock,
      random,
      log: log.with({ part: "plan" }),
      worldOf: (state) => this.#judgedWorldOf(state),
      nextTick: input.nextTick,
    });
    this.#scale = new ScaleLoop({
      door,
      clock,
      log: log.with({ part: "scale" }),
      worldOf: (state) => this.#judgedWorldOf(state),
    });
    this.#sessions = this.#createSessions();
    this.#presence = new PresenceLoop({
      door,
      clock,
      log: log.with({ part: "presence" }),
      lookThrough: (id) => this.#sessions.lookThrough(id),
      onChange: () => {
        this.#known = undefined;
        this.#wake();
      },
    });
    door.onCommit((changes) => {
      this.#loop.follow(changes);
      const touched = this.#index.follow(changes, door.state);
      this.#routes.follow(changes, door.state);
      if (changes.some((change) => change.kind === "node")) this.#nodesChanged();
      // the opening of a session is what brings new keys to an agent
      if (changes.some((change) => change.kind === "issuerKey")) this.#sessions.reopen("the issuer's keys changed");
      this.#sessions.pushRoutes();
      this.#sessions.pushWork(touched);
      this.#wake();
    });
  }

  start(): void {
    this.#presence.start();
    this.#sessions.sync();
    this.#loop.wake();
    this.#scale.look();
  }

  /** An orderly end: nodes are told, so that nothing looks like a loss. */
  stop(reason: string): void {
    this.#acknowledgedSoon?.cancel();
    this.#loop.stop();
    this.#scale.stop();
    this.#presence.stop();
    this.#sessions.stop(reason);
  }

  /** The world around a state: what is committed there, and what is only measured. */
  worldOf(state: State): World {
    return {
      state,
      presence: this.#presence.presence,
      measured: this.#measured,
      progress: this.#progress,
      silentMs: this.#presence.silentMs,
      valveShut: this.#presence.valveShut,
      routesGeneration: this.#input.door.revision,
    };
  }

  /** For who decides by it: no silence in it is from before a stall. */
  #judgedWorldOf(state: State): World {
    this.#presence.catchUp();
    return this.worldOf(state);
  }

  /** The planner has nothing to do until something changes, or until a date that it knows. */
  get isAtRest(): boolean {
    return this.#loop.isAtRest;
  }

  isReady(id: NodeId): boolean {
    // one that was removed is judged no more, and that is noticed a moment later
    return this.#input.door.state.node.has(id) && this.#presence.presence.get(id) === "ready";
  }

  /** Why a node is not in contact; empty when all is well. */
  messageOf(id: NodeId): string {
    return this.#sessions.messageOf(id);
  }

  /** Names of the nodes in reach that have not applied the routes of a revision. */
  laggingBehind(revision: number): readonly string[] {
    return lagging(this.worldOf(this.#input.door.state), revision).map(({ name }) => name);
  }

  /** What is wrong with the network of nodes, in their own words, by their names. */
  networkTroubles(): ReadonlyMap<string, string> {
    const { state } = this.#input.door;
    const troubles = [...state.node.values()].map(
      ({ id, name }) => [name, state.nodeStatus.get(id)?.networkTrouble] as const,
    );
    return new Map(troubles.flatMap(([name, why]) => (why === undefined ? [] : [[name, why] as const])));
  }

  /** For how long, in milliseconds, a node in contact has had routes that it did not apply. */
  routesBehindMs(id: NodeId): number {
    return this.#sessions.routesBehindMs(id);
  }

  /** Calls back after each commit and each change of presence. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #wake(): void {
    this.#loop.wake();
    for (const listener of this.#listeners) listener();
  }

  #nodesChanged(): void {
    const { door, forget } = this.#input;
    this.#sessions.sync();
    for (const id of [...this.#measured.keys(), ...this.#progress.keys()]) {
      if (door.state.node.has(id)) continue;
      this.#measured.delete(id);
      this.#progress.delete(id);
      forget(id);
    }
  }

  /** Once for all that nodes told in one turn of the event loop: with many nodes each look at all of them takes long. */
  #lookAtAcknowledged(): void {
    this.#acknowledgedSoon = undefined;
    const known = this.#known;
    this.#known = this.#acknowledged();
    // nothing waits for one node alone
    if (this.#known.inReach !== known?.inReach || this.#known.byAll !== known.byAll) this.#loop.lookAround();
  }

  /** The newest routes that every node has applied. */
  #acknowledged(): Acknowledged {
    const world = this.worldOf(this.#input.door.state);
    let [inReach, byAll] = [Infinity, Infinity];
    for (const { id } of world.state.node.values()) {
      const applied = this.#progress.get(id)?.routesApplied ?? 0;
      byAll = Math.min(byAll, applied);
      if (!isLost(world, id)) inReach = Math.min(inReach, applied);
    }
    return { inReach, byAll };
  }

  #createSessions(): Sessions {
    const { door, chain, clock, random, log, dialer, reconnectMs, trust } = this.#input;
    return new Sessions({
      dialer,
      random,
      reconnectMs,
      state: () => door.state,
      onContact: (id) => log.info("session open", { node: door.state.node.get(id)?.name ?? id }),
      context: {
        clock,
        chain,
        trust,
        log: log.with({ part: "session" }),
        events: this.#sessionEvents(),
        configOf: (id, config) => configOf(door.state, this.#index.tasksOf(id), config),
        newNonce: () => idFromBytes(random.bytes(ID_BYTES)),
        sections: (id) => ({
          revision: door.revision,
          sections: this.#documents.sectionsOf(door.state, id, this.#index.tasksOf(id)),
        }),
        statusOf: (taskId) => door.state.taskStatus.get(taskId),
        routes: () => ({ revision: door.revision, ...this.#routes.sections(door.state) }),
      },
    });
  }

  #sessionEvents(): SessionEvents {
    const { clock } = this.#input;
    return {
      beat: (id) => this.#presence.beat(id),
      observed: (id, frame) => this.#observations.tasks(id, frame.tasks, frame.gone),
      facts: (id, facts) => this.#observations.facts(id, facts),
      measured: (id, frame) => void this.#measured.set(id, frame.measured),
      called: (id, frame) => this.#scale.called(id, frame),
      progress: (id, progress) => {
        this.#progress.set(id, { workApplied: 0, routesApplied: 0, ...this.#progress.get(id), ...progress });
        this.#acknowledgedSoon ??= clock.after(0, () => this.#lookAtAcknowledged());
      },
      closed: (session, reason) => {
        this.#input.log.info("session closed", { node: session.node.name, reason });
        this.#sessions.sessionClosed(session, reason);
        if (!this.#sessions.isOpen(session.node.id)) this.#presence.contactLost(session.node.id);
      },
      forked: (id, message) => {
        const name = this.#input.door.state.node.get(id)?.name ?? id;
        this.#input.forked(
          new DavitError("forked_history", `${name} refuses this coordinator: ${message}`, {
            wayOut:
              "another coordinator, with a newer history, runs this cluster: stop this one and keep that; if that one is gone for good, restore from its newest copy",
          }),
        );
      },
    };
  }
}
