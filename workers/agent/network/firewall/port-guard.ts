// Keeps each container at its own address: looks which ports the bridge has, asks the engine whose a new one is, and seats it. It closes what
// is known to be wrong and nothing else: a port that cannot be told yet, or an engine that does not answer, leaves that port as it was.

import { reasonOf } from "../../../../src/core/model/errors.ts";
import type { NetworkMember } from "../../../../src/ports/container-engine.ts";
import type { Log } from "../../../../src/ports/log.ts";
import { planPorts, type Seat } from "./plan-ports.ts";
import { renderDifference, renderRuleset, type Ruleset } from "./ruleset.ts";

export interface PortHost {
  /** Ports of the containers' bridge: numbers of the links, by name. */
  ports(): Promise<ReadonlyMap<string, number>>;
  /** Who the engine says is on the bridge. */
  members(): Promise<readonly NetworkMember[]>;
  /** Number of the link on the host that leads into this container; undefined when it has none, or ends. */
  linkOf(containerId: string): Promise<number | undefined>;
  /** Hands a text to the kernel as one transaction. Undefined when it is in force, else what was said. */
  load(rules: string): Promise<string | undefined>;
}

export class PortGuard {
  readonly #host: PortHost;
  readonly #log: Log;
  #seats: readonly Seat[] = [];
  /** Ports as they were when nothing was left to ask about them. */
  #settled: string | undefined;
  #inForce: Ruleset | undefined;
  #trouble: string | undefined;
  #isLooking = false;

  constructor(host: PortHost, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** Why a container may send under another's address, in words. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Seats ports that came, and forgets those that went. Never rejects: what is in the way is the trouble, and is looked at again. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#look();
      this.#trouble = undefined;
    } catch (error) {
      const trouble = `containers are not kept at their own addresses: ${reasonOf(error)}`;
      if (this.#trouble !== trouble) this.#log.warn(trouble);
      this.#trouble = trouble;
    } finally {
      this.#isLooking = false;
    }
  }

  /** Somebody took the table away: the next look makes it anew. */
  lost(): void {
    this.#inForce = undefined;
  }

  async #look(): Promise<void> {
    const ports = await this.#host.ports();
    const seen = [...ports].map(([name, index]) => `${name} ${index}`).join();
    if (seen === this.#settled && this.#inForce !== undefined) return;
    const kept = this.#seats.filter(({ port, index }) => ports.get(port) === index);
    const found = kept.length === ports.size ? [] : await this.#find(ports, kept);
    this.#seats = [...kept, ...found];
    await this.#putIntoForce(planPorts(this.#seats));
    this.#settled = this.#seats.length === ports.size ? seen : undefined;
  }

  async #find(ports: ReadonlyMap<string, number>, kept: readonly Seat[]): Promise<readonly Seat[]> {
    const names = new Map([...ports].map(([name, index]) => [index, name]));
    for (const { index } of kept) names.delete(index);
    const seated = new Set(kept.map(({ containerId }) => containerId));
    const found: Seat[] = [];
    for (const { containerId, address, mac } of await this.#host.members()) {
      if (seated.has(containerId)) continue;
      const index = await this.#host.linkOf(containerId);
      const port = index === undefined ? undefined : names.get(index);
      if (index !== undefined && port !== undefined) found.push({ containerId, port, index, address, mac });
    }
    return found;
  }

  /** A difference that the kernel refuses was made from what is not there: then the whole is. */
  async #putIntoForce(next: Ruleset): Promise<void> {
    const difference = this.#inForce === undefined ? undefined : renderDifference(this.#inForce, next);
    this.#inForce = undefined;
    const isChanged =
      difference !== undefined && (difference === "" || (await this.#host.load(difference)) === undefined);
    const said = isChanged ? undefined : await this.#host.load(renderRuleset(next));
    if (said !== undefined) throw new Error(said);
    this.#inForce = next;
  }
}
