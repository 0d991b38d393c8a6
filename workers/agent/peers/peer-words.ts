// What each peer said last of its own tasks, what was found when it fell silent, and what follows for an endpoint: it may be hidden or shown
// among what the own routes list, and nothing else. Values in, values out; times are boot-time milliseconds of this node.

import type { NodeId } from "../../../src/core/model/ids.ts";
import type { Endpoint, Standing } from "../../../src/core/model/routes.ts";

/** Words that may fail to come before a peer counts as silent, with half of one for delays. */
const LIVE_INTERVALS = 2.5;
/** What a silent peer said against a task counts for so long, while a coordinator can say better. */
export const REMEMBERED_MS = 10_000;
/** Attempts in a row without an answer that hide an endpoint. */
const FAILURES = 2;

type Word = { readonly tasks: ReadonlySet<string>; readonly heardMs: number };

export class PeerWords {
  readonly #liveMs: number;
  readonly #words = new Map<NodeId, Word>();
  /** When a peer was first waited for, before it said anything. */
  readonly #sinceMs = new Map<NodeId, number>();
  /** Attempts in a row that failed, by address of endpoints of silent peers. */
  readonly #failures = new Map<string, number>();

  constructor(intervalMs: number) {
    this.#liveMs = intervalMs * LIVE_INTERVALS;
  }

  /** Takes a peer's word; true when it differs from its last, or broke its silence. */
  take(nodeId: NodeId, tasks: ReadonlySet<string>, nowMs: number): boolean {
    const before = this.#words.get(nodeId);
    const isNews =
      !this.isLive(nodeId, nowMs) || before === undefined || before.tasks.symmetricDifference(tasks).size > 0;
    this.#words.set(nodeId, { tasks, heardMs: nowMs });
    return isNews;
  }

  /** These are the peers; what others said is forgotten. */
  retain(peers: ReadonlySet<NodeId>, nowMs: number): void {
    for (const id of this.#words.keys()) if (!peers.has(id)) this.#words.delete(id);
    for (const id of this.#sinceMs.keys()) if (!peers.has(id)) this.#sinceMs.delete(id);
    for (const id of peers) if (!this.#sinceMs.has(id)) this.#sinceMs.set(id, nowMs);
  }

  isLive(nodeId: NodeId, nowMs: number): boolean {
    const word = this.#words.get(nodeId);
    return word !== undefined && nowMs - word.heardMs < this.#liveMs;
  }

  /** Whether it has said nothing for so long that its endpoints are to be tried. */
  isSilent(nodeId: NodeId, nowMs: number): boolean {
    const lastMs = this.#words.get(nodeId)?.heardMs ?? this.#sinceMs.get(nodeId);
    return lastMs !== undefined && nowMs - lastMs >= this.#liveMs;
  }

  /** An endpoint was tried; true when that hides or shows it. */
  tried(address: string, answered: boolean): boolean {
    const before = this.isHidden(address);
    if (answered) this.#failures.delete(address);
    else this.#failures.set(address, Math.min(FAILURES, (this.#failures.get(address) ?? 0) + 1));
    return this.isHidden(address) !== before;
  }

  isHidden(address: string): boolean {
    return this.#failures.get(address) === FAILURES;
  }

  /** What was found of all other addresses counts no more. */
  keepTried(addresses: ReadonlySet<string>): void {
    for (const address of this.#failures.keys()) if (!addresses.has(address)) this.#failures.delete(address);
  }

  /** `isGranted`: a coordinator is in touch with this node. */
  standingOf(endpoint: Endpoint, nowMs: number, isGranted: boolean): Standing {
    const { standing, nodeId, taskId, address } = endpoint;
    if (standing === "out") return "out";
    const word = this.#words.get(nodeId);
    if (word !== undefined && this.isLive(nodeId, nowMs)) return word.tasks.has(taskId) ? "in" : "waiting";
    if (standing === "waiting" || this.isHidden(address)) return "waiting";
    const isRemembered = word !== undefined && (!isGranted || nowMs - word.heardMs < REMEMBERED_MS);
    return isRemembered && !word.tasks.has(taskId) ? "waiting" : "in";
  }
}
