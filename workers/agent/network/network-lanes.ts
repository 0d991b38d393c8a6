// Two drivers, one after the other: what the node's own tasks need before they start, then the doors for callers from outside, which are handed
// what the first has put in force. A door that is slow, or refuses, holds up no container and no packet rule; it does hold up the word
// that routes are applied, because it may still lead to a task that was withdrawn.

import type { NetworkPart } from "../../../src/ports/node-network.ts";
import type { WorkPosition } from "../../../src/core/model/work.ts";
import { comparePositions } from "../state/sections.ts";
import { NetworkDriver, type NetworkDriverContext, type NetworkInput, type NetworkState } from "./network-driver.ts";

export class NetworkLanes {
  readonly #base: NetworkDriver;
  readonly #doors: NetworkDriver | undefined;
  /** What the doors are to be made true to. */
  #handedOn: NetworkInput | undefined;

  constructor(context: Omit<NetworkDriverContext, "onRound">) {
    const isDoor = ({ isForCallers }: NetworkPart): boolean => isForCallers === true;
    const doors = context.parts.filter(isDoor);
    this.#doors =
      doors.length === 0
        ? undefined
        : new NetworkDriver({ ...context, parts: doors, input: () => this.#handedOn, onRound: () => undefined });
    this.#base = new NetworkDriver({
      ...context,
      parts: context.parts.filter((part) => !isDoor(part)),
      onRound: (input) => this.#handOn(input),
    });
  }

  /** Routes up to here are in force in both, as this process has seen for itself. */
  get applied(): WorkPosition | undefined {
    const base = this.#base.applied;
    if (this.#doors === undefined || base === undefined) return base;
    const doors = this.#doors.applied;
    return doors !== undefined && comparePositions(doors, base) > 0 ? base : doors;
  }

  /** What is in the way, in words; undefined when nothing is. */
  get trouble(): string | undefined {
    const all = [this.#base.trouble, this.#doors?.trouble].filter((each) => each !== undefined);
    return all.length === 0 ? undefined : all.join("; ");
  }

  get state(): NetworkState {
    return this.#base.state;
  }

  /** Something changed, or may have: make it true. Any number of calls before that are one. */
  wake(): void {
    this.#base.wake();
  }

  stop(): void {
    this.#base.stop();
    this.#doors?.stop();
  }

  #handOn(input: NetworkInput): void {
    this.#handedOn = input;
    this.#doors?.wake();
  }
}
