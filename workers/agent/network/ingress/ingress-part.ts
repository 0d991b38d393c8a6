// The node's HTTP door: keeps the proxy's files true, has it run while there is something to serve, brings the running one to the same, and
// reloads it when a route asks for what cannot come otherwise, at most once a minute. What is wrong with one route, one certificate or this
// host's ports is told, and holds up nothing else.

import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { ServiceId } from "../../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../../src/core/model/routes.ts";
import type { NetworkPart, NetworkView } from "../../../../src/ports/node-network.ts";
import { reasonOf } from "../../../../src/core/model/errors.ts";
import { needsReload, routeKey } from "../../../../src/core/model/ingress.ts";
import type { NodeIngressFigures } from "../../../../src/core/model/ingress-figures.ts";
import { OneByOne } from "../../../../src/core/model/one-by-one.ts";
import type { IngressFiles } from "./ingress-files.ts";
import { EMPTY_LAYOUT, type Layout, planLayout } from "./layout.ts";
import { challengesMap, renderMap, routesMap } from "./maps.ts";
import type { ProxySocket } from "./proxy-socket.ts";
import type { ProxyUnit } from "./proxy-unit.ts";
import { backendInput, PLAIN } from "./render-backend.ts";
import {
  backendSignature,
  CERTIFICATE_LIST,
  CHALLENGES_MAP,
  CONFIG_FILE,
  frameOf,
  frameSignature,
  type IngressPaths,
  renderConfig,
  ROUTES_MAP,
} from "./render-config.ts";
import { Meter } from "./meter.ts";
import type { BackendSample } from "./running.ts";
import { Refusals } from "./refusals.ts";
import { type KnownCertificate, RunningProxy, type Served, type Target } from "./running-proxy.ts";
import { type Wanted, type WantedCertificate, wantedOf } from "./wanted.ts";

/** Clients with open connections notice a reload: those that come together are one. */
export const RELOAD_EVERY_MS = 60_000;
/** From the request to reload until the new worker answers. */
const RELOADED_WITHIN_MS = 15_000;
const LOOK_MS = 50;
/** What a worker of before a reload counts after the last look at it is not seen. */
const MEASURE_EVERY_MS = 10_000;
const LAYOUT_FILE = "layout.json";
const CERTIFICATES = "certificates";
const PORTS = ["80/tcp", "443/tcp"] as const;

export type IngressContext = {
  readonly paths: IngressPaths;
  readonly files: IngressFiles;
  /** Of the agent itself: what is counted outlives the proxy's own files. */
  readonly stateFiles: IngressFiles;
  readonly unit: ProxyUnit;
  readonly socket: ProxySocket;
  readonly clock: Clock;
  readonly log: Log;
  /** A digest in hex. */
  readonly hash: (text: string) => string;
  /** Takes one look at the host's ports; then says who holds one. */
  readonly portOwners: () => (port: string) => string | undefined;
};

export class IngressPart implements NetworkPart {
  readonly name = "ingress";
  readonly isForCallers = true;
  readonly #context: IngressContext;
  readonly #proxy: RunningProxy;
  readonly #refusals: Refusals;
  #troubles: readonly string[] = [];
  #layout: Layout | undefined;
  #reloadedAtMs: number | undefined;
  #reloadTimer: Timer | undefined;
  #view: NetworkView | undefined;
  readonly #turns = new OneByOne();
  readonly #meter: Meter;
  #meterTimer: Timer | undefined;
  #measuring: Promise<void> = Promise.resolve();
  /** What the layout is of. */
  #served: NetworkView | undefined;
  /** At the last look whether anybody is called. */
  #samples: ReadonlyMap<string, BackendSample> = new Map();

  constructor(context: IngressContext) {
    this.#context = context;
    this.#proxy = new RunningProxy(context.socket, context.paths);
    this.#refusals = new Refusals(context);
    this.#meter = new Meter({ files: context.stateFiles, bootMs: () => context.clock.bootMs() });
  }

  /** What is wrong though all that could be done was done, in words; undefined when nothing is. */
  get trouble(): string | undefined {
    const all = [...this.#troubles, ...this.#refusals.words];
    return all.length === 0 ? undefined : all.join("; ");
  }

  apply(view: NetworkView): Promise<void> {
    this.#view = view;
    return this.#turns.run(() => this.#apply(view));
  }

  /** Those of these services that have requests, or had any since the last look. */
  async called(services: readonly ServiceRoutes[]): Promise<readonly ServiceId[]> {
    const [view, layout] = [this.#view, this.#layout];
    const sleepers = new Set(services.map(({ serviceId }) => serviceId));
    if (view?.ingress.some(({ serviceId }) => sleepers.has(serviceId)) !== true || layout === undefined) return [];
    const workers = await this.#proxy.workers();
    if (workers === undefined) return [];
    const samples = await this.#proxy.samples(workers);
    const before = this.#samples;
    this.#samples = samples;
    const busy = [...samples].filter(
      ([key, { open, counts }]) => open > 0 || counts.requests > (before.get(key)?.counts.requests ?? 0),
    );
    const backends = new Set(busy.map(([key]) => key.slice(key.indexOf("/") + 1)));
    const routes = new Set(layout.backends.flatMap(({ name, route }) => (backends.has(name) ? (route ?? []) : [])));
    const called = wantedOf(view).routes.filter(({ key, serviceId }) => routes.has(key) && sleepers.has(serviceId));
    return [...new Set(called.map(({ serviceId }) => serviceId))];
  }

  /** What was counted of each service that has routes, up to now; up to the last look when the proxy does not answer. */
  async figures(): Promise<NodeIngressFigures> {
    await this.#measure();
    const { figures } = this.#meter;
    await this.#meter.keep().catch((error: unknown) => this.#cannotCount(error));
    return figures;
  }

  async remove(): Promise<void> {
    this.#reloadTimer?.cancel();
    this.#view = undefined;
    await this.#turns.run(() => this.#stop());
  }

  /** One at a time, because each adds what came since the one before. */
  #measure(): Promise<void> {
    this.#measuring = this.#measuring.then(() => this.#take());
    return this.#measuring;
  }

  /** Never rejects: what cannot be counted holds up nothing. */
  async #take(): Promise<void> {
    const [view, layout] = [this.#served, this.#layout];
    this.#meterTimer?.cancel();
    this.#meterTimer = undefined;
    if (view === undefined || layout === undefined) return;
    this.#meterTimer = this.#context.clock.after(MEASURE_EVERY_MS, () => void this.#measure());
    try {
      const workers = await this.#proxy.workers();
      if (workers === undefined) return;
      const samples = await this.#proxy.samples(workers);
      const services = new Map(
        view.ingress.flatMap(({ serviceId, routes }) => routes.map((spec) => [routeKey(spec), serviceId])),
      );
      const routes = new Map(layout.backends.map(({ name, route }) => [name, route]));
      const ids = new Set<string>((this.#view ?? view).ingress.map(({ serviceId }) => serviceId));
      await this.#meter.take(samples, (backend) => services.get(routes.get(backend) ?? ""), ids);
    } catch (error) {
      this.#cannotCount(error);
    }
  }

  #cannotCount(error: unknown): void {
    this.#context.log.warn("cannot count requests", { reason: reasonOf(error) });
  }

  /**
   * Whatever cannot be done is told. Rejects only when a running proxy may still lead requests to a server that no route has any more: that
   * alone is what others wait for.
   */
  async #apply(view: NetworkView): Promise<void> {
    const all = wantedOf(view);
    this.#troubles = [];
    try {
      if (all.routes.length === 0 && all.challenges.length === 0) return await this.#stop();
      await this.#measure(); // as long as backends serve whom they did
      await this.#serve(all);
      this.#served = view;
    } catch (error) {
      this.#note(reasonOf(error));
      const workers = await this.#proxy.workers();
      const kept = all.routes.flatMap(({ servers }) => servers.map(({ address, port }) => `${address}:${port}`));
      if (workers !== undefined) await this.#proxy.withdraw(workers, new Set(kept));
    }
  }

  async #serve(all: Wanted): Promise<void> {
    const target = await this.#write(all).catch(async (error: unknown) => {
      this.#note(reasonOf(error));
      return await this.#unwritten(all);
    });
    const workers = await this.#proxy.workers();
    if (workers === undefined) return target.certificateFiles === undefined ? undefined : await this.#start();
    const { waiting, isOutdated, faults } = await this.#proxy.sync(workers, target);
    for (const fault of faults) this.#note(fault);
    if (target.certificateFiles !== undefined && (waiting.length > 0 || isOutdated))
      await this.#reloadWhenDue(target, waiting);
  }

  /** What a running proxy can be brought to where the files cannot be written, or nobody can say whether they are right: the disk is full. */
  async #unwritten(all: Wanted): Promise<Target> {
    const wanted = this.#refusals.without({ ...all, certificates: [] });
    const layout = await this.#plan(wanted);
    return { wanted, layout, frame: frameSignature(this.#context.paths, layout.frame, this.#context.hash) };
  }

  /** All files, settings last; what the program refuses is left out until it is another. */
  async #write(all: Wanted): Promise<Required<Target>> {
    const { paths, files, hash } = this.#context;
    for (;;) {
      const wanted = this.#refusals.without({ ...all, certificates: await this.#known(all.certificates) });
      const layout = await this.#plan(wanted);
      const certificateFiles = await this.#writeCertificates(wanted.certificates);
      const text = renderConfig({ paths, layout, routes: wanted.routes, hash });
      const backendOf = new Map(layout.backends.map(({ route, name }) => [route, name]));
      await files.write(ROUTES_MAP, renderMap(routesMap(wanted.routes, (key) => backendOf.get(key))));
      await files.write(CHALLENGES_MAP, renderMap(challengesMap(wanted)));
      const target = {
        wanted,
        layout,
        certificateFiles,
        frame: frameSignature(paths, layout.frame, hash),
      };
      if (await this.#refusals.isAccepted(text, target)) {
        await files.write(CONFIG_FILE, text);
        await files.write(LAYOUT_FILE, JSON.stringify(layout));
        this.#layout = layout;
        return target;
      }
    }
  }

  async #plan(wanted: Served): Promise<Layout> {
    const { hash } = this.#context;
    const demands = wanted.routes.map((route) => ({
      key: route.key,
      input: backendInput(route),
      servers: route.servers.length,
    }));
    const signatureOf = (input: typeof PLAIN): string => backendSignature(input, hash);
    return planLayout(await this.#lastLayout(), demands, signatureOf(PLAIN), signatureOf, frameOf(wanted.routes));
  }

  async #lastLayout(): Promise<Layout> {
    if (this.#layout !== undefined) return this.#layout;
    const text = await this.#context.files.read(LAYOUT_FILE);
    try {
      return text === undefined ? EMPTY_LAYOUT : { ...EMPTY_LAYOUT, ...(JSON.parse(text) as Partial<Layout>) };
    } catch {
      // a damaged one costs a reload
      return EMPTY_LAYOUT;
    }
  }

  /** What was told, else what the disk has of before; routes whose certificate is still to come have none. */
  async #known(certificates: readonly WantedCertificate[]): Promise<readonly KnownCertificate[]> {
    const known: KnownCertificate[] = [];
    for (const certificate of certificates) {
      const pem = certificate.pem ?? (await this.#context.files.read(this.#fileOf(certificate)));
      if (pem !== undefined) known.push({ ...certificate, pem });
    }
    return known;
  }

  #fileOf({ name, hosts }: WantedCertificate): string {
    return `${CERTIFICATES}/${name.replace("*", "_")}-${this.#context.hash(hosts.join(" ")).slice(0, 8)}.pem`;
  }

  /** Files by certificate; those that nothing needs any more are removed. A file's name stands for its hosts, so a change of them is a new one. */
  async #writeCertificates(certificates: readonly KnownCertificate[]): Promise<ReadonlyMap<string, string>> {
    const { files, paths } = this.#context;
    const byName = new Map<string, string>();
    for (const certificate of certificates) {
      const { name, pem } = certificate;
      const file = this.#fileOf(certificate);
      await files.write(file, pem);
      byName.set(name, `${paths.directory}/${file}`);
    }
    const lines = certificates.map(({ name, hosts }) => `${byName.get(name) ?? ""} ${hosts.join(" ")}\n`);
    await files.write(CERTIFICATE_LIST, lines.join(""));
    const kept = new Set(byName.values());
    for (const name of await files.list(CERTIFICATES))
      if (!kept.has(`${paths.directory}/${CERTIFICATES}/${name}`)) await files.remove(`${CERTIFICATES}/${name}`);
    return byName;
  }

  /** A host that cannot serve says so and serves nothing: no route of it leads to a task that was withdrawn. */
  async #start(): Promise<void> {
    const owner = this.#context.portOwners();
    const taken = PORTS.flatMap((port) => {
      const holder = owner(port);
      return holder === undefined ? [] : [`port ${port.replace("/tcp", "")} is taken by ${holder}`];
    });
    if (taken.length > 0) {
      return this.#note(
        `HTTP routes are not served on this node: ${taken.join(", ")}; stop it, or move it to another port`,
      );
    }
    try {
      await this.#context.unit.start();
      this.#reloadedAtMs = undefined;
    } catch (error) {
      this.#note(`HTTP routes are not served on this node: ${reasonOf(error)}`);
    }
  }

  async #stop(): Promise<void> {
    this.#reloadTimer?.cancel();
    this.#meterTimer?.cancel();
    this.#served = undefined;
    await this.#context.unit.remove();
    await this.#context.files.clear();
    await this.#meter.forget();
    this.#refusals.clear();
    this.#layout = undefined;
  }

  async #reloadWhenDue(target: Target, waiting: readonly string[]): Promise<void> {
    const { clock } = this.#context;
    const dueMs = this.#reloadedAtMs === undefined ? 0 : this.#reloadedAtMs + RELOAD_EVERY_MS - clock.bootMs();
    if (dueMs <= 0) return await this.#reload(target);
    const optional = target.wanted.routes.filter(({ key, spec }) => waiting.includes(key) && needsReload(spec));
    const names = (optional.length > 0 ? optional.map(({ key }) => key) : waiting).slice(0, 5).join(", ");
    const what = names === "" ? "" : `${names}: `;
    this.#note(`${what}changes come with the next reload of the ingress, within a minute`);
    this.#reloadTimer?.cancel();
    this.#reloadTimer = clock.after(dueMs, () => {
      const view = this.#view;
      if (view !== undefined)
        void this.#turns.run(() => this.#apply(view)).catch((error: unknown) => this.#tell(reasonOf(error)));
    });
  }

  async #reload(target: Target): Promise<void> {
    const { unit, clock, log } = this.#context;
    const before = (await this.#proxy.workers())?.current;
    this.#reloadedAtMs = clock.bootMs();
    log.info("the ingress proxy reloads", { routes: target.wanted.routes.length });
    await unit.reload();
    const untilMs = clock.bootMs() + RELOADED_WITHIN_MS;
    for (;;) {
      const workers = await this.#proxy.workers();
      if (workers?.current !== undefined && workers.current !== before) {
        for (const fault of (await this.#proxy.sync(workers, target)).faults) this.#note(fault);
        return;
      }
      if (clock.bootMs() > untilMs) {
        this.#tell("the ingress proxy did not reload in time: the settings of before are in force");
        return;
      }
      await clock.sleep(LOOK_MS);
    }
  }

  /** Kept until the next look, and said once. */
  #note(trouble: string): void {
    if (!this.#troubles.includes(trouble)) this.#troubles = [...this.#troubles, trouble];
  }

  #tell(trouble: string): void {
    this.#note(trouble);
    this.#context.log.error("ingress", { reason: trouble });
  }
}
