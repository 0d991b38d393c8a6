// The part of the agent that keeps the kernel's packet rules: it plans the table from the view, changes what differs in one transaction, and
// makes all of it anew when somebody took it away. Between views it looks after what comes and goes by itself: the bridge and its ports.

import { DavitError, reasonOf } from "../../../../src/core/model/errors.ts";
import type { MeshNode } from "../../../../src/core/model/routes.ts";
import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { NetworkPart, NetworkView } from "../../../../src/ports/node-network.ts";
import { OneByOne } from "../../../../src/core/model/one-by-one.ts";
import { chosenFrom } from "./balance.ts";
import type { Conntrack } from "./conntrack.ts";
import { planEngineAccept, planEngineForget } from "./engine-accept.ts";
import { placesOf } from "./facts.ts";
import type { FirewallHost } from "./firewall-host.ts";
import { TABLE } from "./names.ts";
import { planFirewall } from "./plan-firewall.ts";
import { PORT_TABLE } from "./plan-ports.ts";
import type { PortGuard } from "./port-guard.ts";
import { renderDifference, renderRuleset, type Ruleset } from "./ruleset.ts";

/** A container that has just started may call itself by its service within this time. */
const LOOK_AT_BRIDGE_MS = 500;
/** What is heard so soon after a table was made whole is that: the look that it asks for is put off until then. */
const OWN_ECHO_MS = 2_000;
/** An endpoint that lives has answered an attempt by then, over any line between nodes. */
const ANSWER_MS = 250;
/** A view that changes nothing comes now and then so that parts look; not more often than this. */
const LOOK_AT_RULES_MS = 10_000;

export type FirewallDeps = {
  readonly host: FirewallHost;
  readonly clock: Clock;
  readonly log: Log;
  readonly conntrack: Conntrack;
  readonly ports: PortGuard;
  /** IPv4 addresses that nodes send from outside of the mesh, by node id. */
  readonly endpointsOf: (nodes: readonly MeshNode[]) => Promise<ReadonlyMap<string, string>>;
};

export class FirewallPart implements NetworkPart {
  readonly name = "firewall";
  readonly #deps: FirewallDeps;
  #watch: { close(): void } | undefined;
  #view: NetworkView | undefined;
  /** The last view after which connections were looked at. */
  #swept: NetworkView | undefined;
  /** What the kernel holds; undefined when that is not known. */
  #inForce: Ruleset | undefined;
  #isEngineTold = false;
  /** Boot time of the last whole table, and of the last look at what is there. */
  #madeAtMs = Number.NEGATIVE_INFINITY;
  #seenAtMs = Number.NEGATIVE_INFINITY;
  #bridge: string | undefined;
  #areLinksPrepared = false;
  #toldFault: string | undefined;
  readonly #turns = new OneByOne();
  #timer: Timer | undefined;
  #echo: Timer | undefined;
  #isClosed = false;

  constructor(deps: FirewallDeps) {
    this.#deps = deps;
  }

  get trouble(): string | undefined {
    return this.#deps.ports.trouble;
  }

  apply(view: NetworkView): Promise<void> {
    return this.#turns.run(async () => {
      this.#watch ??= this.#deps.host.watch(() => void this.#lookAtRules());
      await this.#makeTrue(view);
      const left = this.#leftBy(view);
      // who left may be stopped as soon as this is acknowledged
      if (left.hasLeft) await this.#sweeping(() => this.#turnAttempts(view));
      // rules are in force: nobody waits for the rest
      if (left.hasLeft || left.gone.size > 0) {
        void this.#turns.run(() => this.#sweeping(() => this.#deps.conntrack.sweep(view, left.gone)));
      }
      this.#timer ??= this.#deps.clock.after(LOOK_AT_BRIDGE_MS, () => void this.#lookAtBridge());
    });
  }

  remove(): Promise<void> {
    return this.#turns.run(async () => {
      this.close();
      const { host } = this.#deps;
      this.#view = undefined;
      this.#inForce = undefined;
      const tables = [TABLE, PORT_TABLE].map((table) => `table ${table}\ndelete table ${table}\n`);
      const said = await host.load(tables.join(""));
      if (said !== undefined) throw new DavitError("unavailable", `take packet rules away: ${said}`);
      for (const argv of planEngineForget(await host.engineFirewall())) {
        await host.must("take davit's rule out of Docker's firewall", argv);
      }
      await host.forgetBridge();
    });
  }

  /** Ends what looks after the rules by itself; the rules stay. */
  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
    this.#timer?.cancel();
    this.#echo?.cancel();
  }

  async #makeTrue(view: NetworkView): Promise<void> {
    await this.#deps.host.requireBridgedPackets();
    const endpoints = await this.#deps.endpointsOf(view.mesh.nodes);
    this.#view = view;
    const next = planFirewall(view, { endpoints });
    await this.#putIntoForce(next);
    await this.#shortenTimeWait();
    await this.#tellEngine();
    await this.#prepareBridge(view);
  }

  /** A host that does not let it be set loses a connection in very many: told once, and no reason to hold anything up. */
  async #shortenTimeWait(): Promise<void> {
    const { host, log } = this.#deps;
    const fault = await host.shortenTimeWait();
    if (fault !== undefined && fault !== this.#toldFault)
      log.warn("ended connections are remembered for long: set net.netfilter.nf_conntrack_tcp_timeout_time_wait to 5", {
        reason: fault,
      });
    this.#toldFault = fault;
  }

  /** A difference that the kernel refuses was made from what is not there: then the whole is. */
  async #putIntoForce(next: Ruleset): Promise<void> {
    const { host, log, clock } = this.#deps;
    const difference = this.#inForce === undefined ? undefined : renderDifference(this.#inForce, next);
    if (difference === "" && (await this.#isThere())) return;
    this.#inForce = undefined;
    const refused = difference === undefined || difference === "" ? "" : await host.load(difference);
    if (refused !== undefined) {
      if (refused !== "") log.warn("packet rules were not as they were left: making all anew", { said: refused });
      const said = await host.load(renderRuleset(next));
      if (said !== undefined) throw new DavitError("unavailable", `make packet rules: ${said}`);
      this.#madeAtMs = clock.bootMs();
    }
    this.#inForce = next;
  }

  async #tellEngine(): Promise<void> {
    if (this.#isEngineTold) return;
    const { host } = this.#deps;
    const accept = planEngineAccept(await host.engineFirewall());
    if (accept.kind === "option") {
      throw new DavitError("unavailable", `let packets through Docker's firewall: it keeps its rules in nftables`, {
        wayOut: `set "${accept.name}": "${accept.value}" in /etc/docker/daemon.json and restart Docker`,
      });
    }
    for (const argv of accept.commands) await host.must("let packets through Docker's firewall", argv);
    this.#isEngineTold = true;
  }

  async #prepareBridge(view: NetworkView): Promise<void> {
    const { host } = this.#deps;
    const bridge = await host.bridge();
    if (bridge !== this.#bridge || !this.#areLinksPrepared) {
      await host.prepareLinks(placesOf(view, { endpoints: new Map() }), bridge !== undefined);
      this.#areLinksPrepared = true;
    }
    if (bridge !== undefined && bridge !== this.#bridge) {
      // the engine makes its chains with its first network
      this.#isEngineTold = false;
      await this.#tellEngine();
    }
    this.#bridge = bridge;
    await host.setHairpin();
  }

  /** Addresses that are listed no more, and whether any door lost an endpoint. After an agent's start nobody knows what left meanwhile. */
  #leftBy(view: NetworkView): { readonly gone: ReadonlySet<string>; readonly hasLeft: boolean } {
    const before = this.#swept;
    this.#swept = view;
    if (before === undefined) return { gone: new Set(), hasLeft: true };
    const listed = addressesOf(view);
    const doors = doorsOf(view);
    return {
      gone: new Set([...addressesOf(before)].filter((address) => !listed.has(address))),
      hasLeft: [...doorsOf(before)].some((address) => !doors.has(address)),
    };
  }

  /**
   * A first packet that was lost on its way is sent again after a second, then three, and would go where the first one went, when nobody may be
   * there any more. What has been answered meanwhile is left alone; where nothing waits for an answer nothing is waited for here.
   */
  async #turnAttempts(view: NetworkView): Promise<readonly string[]> {
    const { conntrack, clock } = this.#deps;
    const before = new Set((await conntrack.strayAttempts(view)).map(({ key }) => key));
    if (before.size === 0) return [];
    await new Promise<void>((resolve) => void clock.after(ANSWER_MS, resolve));
    const unanswered = (await conntrack.strayAttempts(view)).filter(({ key }) => before.has(key));
    await conntrack.forgetAttempts(unanswered);
    return [...new Set(unanswered.map(({ answeredBy }) => answeredBy))];
  }

  /** Rules are in force all the same if this fails: it is told, and not tried again. */
  async #sweeping(sweep: () => Promise<readonly string[]>): Promise<void> {
    const { log } = this.#deps;
    try {
      const ended = await sweep();
      if (ended.length > 0) log.info("ended connections", { endpoints: ended.join(", ") });
    } catch (error) {
      log.warn("connections to endpoints that are gone were not ended", { reason: reasonOf(error) });
    }
  }

  /** Looks now and then whether what nothing is to be changed in is there at all. */
  async #isThere(): Promise<boolean> {
    const { host, log, clock } = this.#deps;
    if (clock.bootMs() - this.#seenAtMs < LOOK_AT_RULES_MS) return true;
    this.#seenAtMs = clock.bootMs();
    this.#isEngineTold = false;
    const tables = await host.tables();
    if (!tables.has(PORT_TABLE)) this.#deps.ports.lost();
    if (tables.has(TABLE)) return true;
    log.warn("packet rules were taken away: making them anew");
    return false;
  }

  /** Somebody changed rules of the host: the table, or the engine's rule, may be gone. */
  async #lookAtRules(): Promise<void> {
    const { clock } = this.#deps;
    const sinceMs = clock.bootMs() - this.#madeAtMs;
    if (sinceMs < OWN_ECHO_MS) {
      this.#echo ??= clock.after(OWN_ECHO_MS - sinceMs, () => {
        this.#echo = undefined;
        void this.#lookAtRules();
      });
      return;
    }
    await this.#byItself((view) => {
      this.#seenAtMs = Number.NEGATIVE_INFINITY;
      return this.#makeTrue(view);
    });
  }

  async #lookAtBridge(): Promise<void> {
    await this.#byItself((view) => this.#prepareBridge(view));
    // the engine may take its time to say who came: nothing waits for it
    void this.#deps.ports.look();
    if (!this.#isClosed) this.#timer = this.#deps.clock.after(LOOK_AT_BRIDGE_MS, () => void this.#lookAtBridge());
  }

  async #byItself(look: (view: NetworkView) => Promise<void>): Promise<void> {
    await this.#turns.run(async () => {
      if (this.#view === undefined || this.#isClosed) return;
      try {
        await look(this.#view);
      } catch (error) {
        this.#deps.log.warn("packet rules could not be looked after", { reason: reasonOf(error) });
      }
    });
  }
}

function addressesOf(view: NetworkView): ReadonlySet<string> {
  return new Set(view.services.flatMap((service) => service.endpoints.map(({ address }) => address)));
}

function doorsOf(view: NetworkView): ReadonlySet<string> {
  return new Set(view.services.flatMap((service) => chosenFrom(service.endpoints).map(({ address }) => address)));
}
