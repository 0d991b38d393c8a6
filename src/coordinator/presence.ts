// Watches the leases: ticks, starts second looks, and commits what changed hands: a node that is lost since when, or back.
// Which node is in which state is core/lease's decision; this loop only looks at the clock and carries answers.

import { asId, type NodeId } from "../core/model/ids.ts";
import type { Change, EventDraft } from "../core/model/records.ts";
import type { Presence, State } from "../core/model/world.ts";
import {
  beatReceived,
  contactLost,
  isStalled,
  type LeaseTable,
  secondLookFailed,
  silenceOf,
  startLeases,
  tickLeases,
} from "../core/lease/leases.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { CommitDoor } from "./commit-door.ts";
import { nodeEvent } from "./observations.ts";

/** Four looks a second: a lost node is noticed at most this late, and a tick costs microseconds at ten nodes. */
const TICK_MS = 250;
const KEPT_LOSSES = 5;

export type PresenceInput = {
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly log: Log;
  /** Tries a silent node through another; true if it is in contact after it. */
  readonly lookThrough: (id: NodeId) => Promise<boolean>;
  /** Some presence, or the valve, changed: plan again. */
  readonly onChange: () => void;
};

export class PresenceLoop {
  readonly #input: PresenceInput;
  #table: LeaseTable;
  #presence: ReadonlyMap<NodeId, Presence> = new Map();
  #timer: Timer | undefined;
  #soon: Timer | undefined;
  #isRecording = false;
  #stopped = false;

  constructor(input: PresenceInput) {
    this.#input = input;
    const ids = [...input.door.state.node.values()].map((node) => node.id);
    this.#table = startLeases(ids, input.clock.bootMs());
  }

  start(): void {
    this.#tick();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#soon?.cancel();
  }

  get presence(): ReadonlyMap<NodeId, Presence> {
    return this.#presence;
  }

  /** For how long each node has been silent as of now: to the moment, since what waits for a silence sets its clock by it. */
  get silentMs(): (id: NodeId) => number {
    const table = this.#table;
    const nowMs = this.#input.clock.bootMs();
    return (id) => silenceOf(table, id, nowMs, TICK_MS);
  }

  get valveShut(): boolean {
    return this.#table.valveShut;
  }

  /**
   * Call it before a plan is made: after a pause of this process other work may have its turn before the next tick, and would go by silences
   * from before, in which nobody could be heard.
   */
  catchUp(): void {
    if (isStalled(this.#table, this.#input.clock.bootMs())) this.#judge();
  }

  /** A beat came in over the node's session. */
  beat(id: NodeId): void {
    this.#table = beatReceived(this.#table, id, this.#input.clock.bootMs());
    if (this.#presence.get(id) !== "ready") this.#judgeSoon();
  }

  contactLost(id: NodeId): void {
    this.#table = contactLost(this.#table, id);
    this.#judgeSoon();
  }

  /** Once for all who come and go in one turn of the event loop: all connections may break at once. */
  #judgeSoon(): void {
    this.#soon ??= this.#input.clock.after(0, () => {
      this.#soon = undefined;
      if (!this.#stopped) this.#judge();
    });
  }

  #tick(): void {
    if (this.#stopped) return;
    this.#judge();
    this.#timer = this.#input.clock.after(TICK_MS, () => this.#tick());
  }

  #judge(): void {
    const { door, clock } = this.#input;
    const known = [...door.state.node.values()];
    const dead = new Set(known.filter((node) => node.confirmedDeadAtMs !== undefined).map((node) => node.id));
    const wasShut = this.#table.valveShut;
    const tick = tickLeases(
      this.#table,
      known.map((node) => node.id),
      dead,
      clock.bootMs(),
    );
    this.#table = tick.table;
    for (const id of tick.toLookAt) void this.#look(id);
    const changed = [...tick.presence].filter(([id, presence]) => this.#presence.get(id) !== presence);
    // while nobody's presence changes it is the same map: who plans sees by it that nothing changed
    if (changed.length > 0 || tick.presence.size !== this.#presence.size) this.#presence = tick.presence;
    if (wasShut !== tick.table.valveShut) this.#announceValve(tick.table.valveShut);
    if (changed.length === 0 && wasShut === tick.table.valveShut) return;
    this.#record();
    this.#input.onChange();
  }

  async #look(id: NodeId): Promise<void> {
    const found = await this.#input.lookThrough(id).catch(() => false);
    if (found) return;
    this.#table = secondLookFailed(this.#table, id);
    this.#judge();
  }

  #announceValve(shut: boolean): void {
    const { door, log } = this.#input;
    const message = shut
      ? "more than half of the nodes are silent at once: nothing is replaced until it is clear who is cut off (davit node ls; davit node confirm-dead NODE)"
      : "enough nodes answer again: replacing goes on";
    log.warn(message);
    const [cluster] = door.state.cluster.values();
    if (cluster === undefined) return;
    const event: EventDraft = {
      type: shut ? "cluster.valve_shut" : "cluster.valve_open",
      subject: { kind: "cluster", id: cluster.id, name: cluster.name },
      message,
    };
    door
      .commit(() => ({ changes: [], events: [event], result: undefined }))
      .catch(() => log.error("valve event not committed"));
  }

  /** Writes down losses and returns, so that users and the planner see since when. */
  #record(): void {
    // what waits for its turn writes down what is true by then
    if (this.#isRecording) return;
    this.#isRecording = true;
    const { door, clock } = this.#input;
    door
      .commit((state) => {
        this.#isRecording = false;
        // behind a slow disk or a pause: when it was judged; boot time has fractions
        const judgedMs = Math.round(clock.nowMs() - (clock.bootMs() - this.#table.tickedMs));
        return { ...lossesAndReturns(state, this.#presence, judgedMs), result: undefined };
      })
      .catch((error: unknown) => {
        this.#isRecording = false;
        this.#input.log.error("presence not committed", { reason: String(error) });
      });
  }
}

/** NodeStatus changes for nodes that became lost or came back. Pure. */
export function lossesAndReturns(
  state: State,
  presence: ReadonlyMap<NodeId, Presence>,
  nowMs: number,
): { changes: Change[]; events: EventDraft[] } {
  const changes: Change[] = [];
  const events: EventDraft[] = [];
  for (const [key, status] of state.nodeStatus) {
    const id: NodeId = asId(key);
    const now = presence.get(id);
    if (now === "lost" && status.unseenSinceMs === undefined) {
      const lostAtMs = [...status.lostAtMs, nowMs].slice(-KEPT_LOSSES);
      changes.push({ op: "put", kind: "nodeStatus", record: { ...status, unseenSinceMs: nowMs, lostAtMs } });
      events.push(
        nodeEvent(
          state,
          id,
          "node.lost",
          "is lost: its lease ended, and no other node reaches it; its tasks are replaced elsewhere",
        ),
      );
    } else if (now === "ready" && status.unseenSinceMs !== undefined) {
      const { unseenSinceMs: _since, ...rest } = status;
      changes.push({ op: "put", kind: "nodeStatus", record: rest });
      events.push(nodeEvent(state, id, "node.returned", "is back: its running containers are adopted"));
    }
  }
  return { changes, events };
}
