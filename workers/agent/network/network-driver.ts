// Makes the routes true on this node: hands the newest view to each part, one part at a time, again whenever something changed, with
// growing waits when a part fails. What every part has put in force once is applied; until then no container of it starts.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { TaskId } from "../../../src/core/model/ids.ts";
import type { WorkPosition } from "../../../src/core/model/work.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { NetworkPart, NetworkView } from "../../../src/ports/node-network.ts";
import { tasksProvidedFor } from "./network-view.ts";

const FIRST_RETRY_MS = 500;
/** Until then a node that leads calls to what is gone goes on doing so: short, and a look costs little. */
const LAST_RETRY_MS = 4_000;
/** A look although nothing was heard: somebody else may have changed the host's rules. */
const RELOOK_MS = 30_000;
/** A part that takes longer is shown as what is waited for. */
export const SLOW_MS = 5_000;

export type NetworkInput = { readonly view: NetworkView; readonly position: WorkPosition };

export type NetworkDriverContext = {
  readonly parts: readonly NetworkPart[];
  readonly clock: Clock;
  readonly log: Log;
  /** What is to be made true now; undefined until the node has both of its documents. */
  readonly input: () => NetworkInput | undefined;
  /** More is in force, or what is in the way changed. */
  readonly onChange: () => void;
  /** One part is in force so, whatever became of the others. */
  readonly onPart: (part: NetworkPart, view: NetworkView) => void;
  /** Each part was handed this or newer, whether it failed or not. */
  readonly onRound: (input: NetworkInput) => void;
};

/** Which tasks have their network; `reason`: why the others wait. */
export type NetworkState = {
  readonly isInForceFor: (taskId: TaskId) => boolean;
  readonly reason: string;
};

export class NetworkDriver {
  readonly #context: NetworkDriverContext;
  #isRunning = false;
  #again = false;
  #isStopped = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: Timer | undefined;
  #applied: WorkPosition | undefined;
  #provided: ReadonlySet<TaskId> = new Set();
  readonly #troubles = new Map<string, string>();

  constructor(context: NetworkDriverContext) {
    this.#context = context;
  }

  /** Routes up to here are in force, as this process has seen for itself. */
  get applied(): WorkPosition | undefined {
    return this.#applied;
  }

  /** What is in the way, in words; undefined when nothing is. */
  get trouble(): string | undefined {
    return this.#troubles.size === 0
      ? undefined
      : [...this.#troubles].map(([name, why]) => `${name}: ${why}`).join("; ");
  }

  get state(): NetworkState {
    // a node whose agent drives no part has nothing to wait for
    if (this.#context.parts.length === 0) return { isInForceFor: () => true, reason: "" };
    const provided = this.#provided;
    const waiting =
      this.#context.input() === undefined ? "its routes have not arrived from the coordinator" : "being put in force";
    return { isInForceFor: (taskId) => provided.has(taskId), reason: this.trouble ?? waiting };
  }

  /** Something changed, or may have: make it true. Any number of calls before that are one. */
  wake(): void {
    if (this.#context.parts.length === 0) {
      const input = this.#context.input();
      if (input === undefined) return;
      this.#applied = input.position;
      this.#context.onRound(input);
      return;
    }
    this.#again = true;
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    queueMicrotask(() => void this.#run());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    this.#timer?.cancel();
    while (this.#again && !this.#isStopped) {
      this.#again = false;
      const input = this.#context.input();
      if (input === undefined) break;
      if (await this.#round(input)) this.#tookEffect(input);
      this.#context.onRound(input);
    }
    this.#isRunning = false;
    this.#sleep();
  }

  /** True when every part is in force, with this view or a newer one. */
  async #round(first: NetworkInput): Promise<boolean> {
    let isWhole = true;
    for (const part of this.#context.parts) {
      if (this.#isStopped) return false;
      const { view } = this.#context.input() ?? first;
      isWhole = (await this.#apply(part, view)) && isWhole;
    }
    return isWhole;
  }

  async #apply(part: NetworkPart, view: NetworkView): Promise<boolean> {
    const { clock } = this.#context;
    const slow = clock.after(SLOW_MS, () => this.#note(part.name, "not done yet"));
    try {
      await part.apply(view);
      this.#note(part.name, part.trouble);
      if (!this.#isStopped) this.#context.onPart(part, view);
      return true;
    } catch (error) {
      this.#note(part.name, reasonOf(error));
      return false;
    } finally {
      slow.cancel();
    }
  }

  #note(name: string, trouble: string | undefined): void {
    if (this.#troubles.get(name) === trouble || this.#isStopped) return;
    const { log, onChange } = this.#context;
    if (trouble === undefined) {
      this.#troubles.delete(name);
      log.info("network is as it should be again", { part: name });
    } else {
      this.#troubles.set(name, trouble);
      log.warn("network is not as it should be", { part: name, reason: trouble });
    }
    onChange();
  }

  #tookEffect({ view, position }: NetworkInput): void {
    this.#applied = position;
    this.#provided = tasksProvidedFor(view);
    this.#context.onChange();
  }

  #sleep(): void {
    const { parts, clock } = this.#context;
    if (this.#isStopped || parts.length === 0) return;
    // what is told as a trouble though all is in force that can be is looked at ever more seldom, too
    const isFine = this.#troubles.size === 0;
    const waitMs = isFine ? RELOOK_MS : this.#retryMs;
    this.#retryMs = isFine ? FIRST_RETRY_MS : Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    this.#timer = clock.after(waitMs, () => this.wake());
  }
}
