// Tells the coordinator which services that may fall asleep are called on this node: those that connections wait for at once, the others every few
// seconds. What cannot be found out is told as called: a service that is awake for longer costs little.

import { reasonOf } from "../../../../src/core/model/errors.ts";
import type { ServiceId } from "../../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../../src/core/model/routes.ts";
import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { Activation, NetworkView } from "../../../../src/ports/node-network.ts";
import type { Activator } from "./activator.ts";

const LOOK_MS = 3_000;

export type CallsContext = {
  readonly activator: Activator;
  readonly clock: Clock;
  readonly log: Log;
  /** Each says which of these services are called, as it sees it: the kernel's doors, the ingress. */
  readonly witnesses: readonly ((services: readonly ServiceRoutes[]) => Promise<readonly ServiceId[]>)[];
};

export class Calls {
  readonly #context: CallsContext;
  #services: readonly ServiceRoutes[] = [];
  #tell: (waiting: readonly ServiceId[], active: readonly ServiceId[]) => void = () => undefined;
  #timer: Timer | undefined;
  #isLooking = false;

  constructor(context: CallsContext) {
    this.#context = context;
  }

  /** `tell`: to the coordinator, if there is one. `onDoors`: the network parts are to look again. */
  begin(tell: (waiting: readonly ServiceId[], active: readonly ServiceId[]) => void, onDoors: () => void): void {
    this.#tell = tell;
    this.#context.activator.begin({ onDoors, onWaiting: (waiting) => tell(waiting, []) });
  }

  follow(view: NetworkView): ReadonlyMap<ServiceId, Activation> {
    this.#services = view.services.filter(({ waking }) => waking !== undefined);
    if (this.#services.length > 0) this.#timer ??= this.#context.clock.after(LOOK_MS, () => void this.#look());
    return this.#context.activator.follow(view);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#context.activator.stop();
  }

  async #look(): Promise<void> {
    const { clock, activator, witnesses, log } = this.#context;
    if (this.#isLooking) return;
    this.#isLooking = true;
    const services = this.#services;
    try {
      const found = await Promise.all(witnesses.map((witness) => witness(services)));
      const active = new Set([...found.flat(), ...activator.active]);
      if (active.size > 0) this.#tell([], [...active]);
    } catch (error) {
      log.warn("cannot see who is called", { reason: reasonOf(error) });
      this.#tell(
        [],
        services.map(({ serviceId }) => serviceId),
      );
    }
    this.#isLooking = false;
    this.#timer = this.#services.length === 0 ? undefined : clock.after(LOOK_MS, () => void this.#look());
  }
}
