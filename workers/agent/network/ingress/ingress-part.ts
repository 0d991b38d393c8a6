// The node's HTTP door: keeps the proxy's files true, has it run while there is something to serve, brings the running one to the same, and
// reloads it when a route asks for what cannot come otherwise, at most once a minute. What is wrong with one route, one certificate or this
// host's ports is told, and holds up nothing else.

import type { Clock, Timer } from "../../../../src/ports/clock.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { ServiceId } from "../../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../../src/core/model/routes.ts";
import type { NetworkPart, NetworkView } from "../../../../src/ports/node-network.ts";
import { DavitError, reasonOf } from "../../../../src/core/model/errors.ts";
import { needsReload } from "../../../../src/core/model/ingress.ts";
import { blameFor } from "./blame.ts";
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
import type { Requests } from "./running.ts";
import { type KnownCertificate, RunningProxy, type Served, type Target } from "./running-proxy.ts";
import { type Wanted, type WantedCertificate, wantedOf } from "./wanted.ts";

/** Clients with open connections notice a reload: those that come together are one. */
export const RELOAD_EVERY_MS = 60_000;
/** From the request to reload until the new worker answers. */
const RELOADED_WITHIN_MS = 15_000;
const LOOK_MS = 50;
const LAYOUT_FILE = "layout.json";
const CERTIFICATES = "certificates";
const PORTS = ["80/tcp", "443/tcp"] as const;

export type IngressContext = {
  readonly paths: IngressPaths;
  readonly files: IngressFiles;
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
  readonly #context: IngressContext;
  readonly #proxy: RunningProxy;
  /** Routes and certificates that the proxy refused, with its words. */
  readonly #refused = new Map<string, string>();
  /** What it had nothing against when it was asked last. */
  #accepted: ReadonlySet<string> = new Set();
  #troubles: readonly string[] = [];
  #layout: Layout | undefined;
  #checked = "";
  #reloadedAtMs: number | undefined;
  #reloadTimer: Timer | undefined;
  #view: NetworkView | undefined;
  #running: Promise<void> = Promise.resolve();
  /** At the last look whether anybody is called. */
  #requests: ReadonlyMap<string, Requests> = new Map();

  constructor(context: IngressContext) {
    this.#context = context;
    this.#proxy = new RunningProxy(context.socket, context.paths);
  }

  /** What is wrong though all that could be done was done, in words; undefined when nothing is. */
  get trouble(): string | undefined {
    const all = [...this.#troubles, ...this.#refused.values()];
    return all.length === 0 ? undefined : all.join("; ");
  }

  apply(view: NetworkView): Promise<void> {
    this.#view = view;
    return this.#alone(() => this.#apply(view));
  }

  /** Those of these services that have requests, or had any since the last look. */
  async called(services: readonly ServiceRoutes[]): Promise<readonly ServiceId[]> {
    const [view, layout] = [this.#view, this.#layout];
    const sleepers = new Set(services.map(({ serviceId }) => serviceId));
    if (view?.ingress.some(({ serviceId }) => sleepers.has(serviceId)) !== true || layout === undefined) return [];
    const workers = await this.#proxy.workers();
    if (workers === undefined) return [];
    const requests = await this.#proxy.requests(workers);
    const before = this.#requests;
    this.#requests = requests;
    const busy = [...requests].filter(([key, { open, total }]) => open > 0 || total > (before.get(key)?.total ?? 0));
    const backends = new Set(busy.map(([key]) => key.slice(key.indexOf("/") + 1)));
    const routes = new Set(layout.backends.flatMap(({ name, route }) => (backends.has(name) ? (route ?? []) : [])));
    const called = wantedOf(view).routes.filter(({ key, serviceId }) => routes.has(key) && sleepers.has(serviceId));
    return [...new Set(called.map(({ serviceId }) => serviceId))];
  }

  async remove(): Promise<void> {
    this.#reloadTimer?.cancel();
    this.#view = undefined;
    await this.#alone(() => this.#stop());
  }

  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#running.then(work);
    this.#running = done.catch(() => undefined);
    return done;
  }

  async #apply(view: NetworkView): Promise<void> {
    const all = wantedOf(view);
    this.#troubles = [];
    if (all.routes.length === 0 && all.challenges.length === 0) return await this.#stop();
    const target = await this.#write(all);
    const workers = await this.#proxy.workers();
    if (workers === undefined) return await this.#start();
    const { waiting, isOutdated } = await this.#proxy.sync(workers, target);
    if (waiting.length > 0 || isOutdated) await this.#reloadWhenDue(target, waiting);
  }

  /** All files, settings last; what the program refuses is left out until it is another. */
  async #write(all: Wanted): Promise<Target> {
    const { paths, files, hash } = this.#context;
    for (;;) {
      const wanted = this.#without({ ...all, certificates: await this.#known(all.certificates) });
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
      if (await this.#isAccepted(text, target)) {
        await files.write(CONFIG_FILE, text);
        await files.write(LAYOUT_FILE, JSON.stringify(layout));
        this.#layout = layout;
        return target;
      }
    }
  }

  /** Asks the program, unless only servers are different. Notes who is to blame; rejects when nobody is. */
  async #isAccepted(text: string, { layout, certificateFiles, wanted }: Target): Promise<boolean> {
    const { files, unit, paths, hash } = this.#context;
    const names = layout.backends.map(({ name }) => name).join(" ");
    const look = hash(
      `${names} ${wanted.certificates.map(({ pem, hosts }) => hash(`${pem} ${hosts.join(" ")}`)).join(" ")}`,
    );
    if (look === this.#checked) return true;
    await files.write(`${CONFIG_FILE}.next`, text);
    const said = await unit.check(`${paths.directory}/${CONFIG_FILE}.next`);
    await files.remove(`${CONFIG_FILE}.next`);
    if (said === undefined) {
      this.#checked = look;
      this.#accepted = new Set(this.#identities(wanted).keys());
      return true;
    }
    const blame = blameFor(said, text, [...certificateFiles.values()]);
    const isCertificate = blame?.kind === "certificate";
    const subject = isCertificate
      ? [...certificateFiles].find(([, file]) => file === blame.file)?.[0]
      : layout.backends.find(({ name }) => name === blame?.name)?.route;
    if (blame === undefined || subject === undefined) {
      this.#refuseNew(wanted, said);
      return false;
    }
    const fault = `${isCertificate ? "certificate" : "route"} ${subject} is left out: the proxy says: ${blame.reason}`;
    this.#context.log.error("the ingress proxy refuses a part of its settings", { fault });
    this.#refused.set(this.#identity(wanted, subject, isCertificate), fault);
    return false;
  }

  /** What it says is about no part alone: then it is what came since it took them last. Rejects when nothing did. */
  #refuseNew(wanted: Served, said: string): void {
    const fresh = [...this.#identities(wanted)].filter(([identity]) => !this.#accepted.has(identity));
    if (fresh.length === 0 || this.#accepted.size === 0)
      throw new DavitError("internal", `check the ingress proxy's settings: ${said.slice(0, 500)}`);
    for (const [identity, subject] of fresh)
      this.#refused.set(identity, `${subject} is left out: the proxy says: ${said.slice(0, 300)}`);
    this.#context.log.error("the ingress proxy refuses what came last", { said: said.slice(0, 500) });
  }

  /** Each route and certificate in its text of now, by what it is called in messages. */
  #identities(wanted: Served): ReadonlyMap<string, string> {
    const routes = wanted.routes.map(({ key }) => [this.#identity(wanted, key, false), `route ${key}`] as const);
    const certificates = wanted.certificates.map(
      ({ name }) => [this.#identity(wanted, name, true), `certificate ${name}`] as const,
    );
    return new Map([...routes, ...certificates]);
  }

  /** A refusal is of one text: what is changed is tried again. */
  #without(all: Served): Served {
    const present = new Set<string>();
    const isFine = (identity: string): boolean => {
      present.add(identity);
      return !this.#refused.has(identity);
    };
    const routes = all.routes.filter(({ key }) => isFine(this.#identity(all, key, false)));
    const certificates = all.certificates.filter(({ name }) => isFine(this.#identity(all, name, true)));
    for (const identity of this.#refused.keys()) if (!present.has(identity)) this.#refused.delete(identity);
    return { ...all, routes, certificates };
  }

  #identity(wanted: Served, subject: string, isCertificate: boolean): string {
    const content = isCertificate
      ? wanted.certificates.find(({ name }) => name === subject)?.pem
      : wanted.routes.find(({ key }) => key === subject)?.spec;
    return `${isCertificate ? "certificate" : "route"} ${subject} ${this.#context.hash(JSON.stringify(content ?? ""))}`;
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
      this.#troubles = [
        `HTTP routes are not served on this node: ${taken.join(", ")}; stop it, or move it to another port`,
      ];
      return;
    }
    try {
      await this.#context.unit.start();
      this.#reloadedAtMs = undefined;
    } catch (error) {
      this.#troubles = [`HTTP routes are not served on this node: ${reasonOf(error)}`];
    }
  }

  async #stop(): Promise<void> {
    this.#reloadTimer?.cancel();
    await this.#context.unit.remove();
    await this.#context.files.clear();
    this.#refused.clear();
    this.#accepted = new Set();
    this.#layout = undefined;
    this.#checked = "";
  }

  async #reloadWhenDue(target: Target, waiting: readonly string[]): Promise<void> {
    const { clock } = this.#context;
    const dueMs = this.#reloadedAtMs === undefined ? 0 : this.#reloadedAtMs + RELOAD_EVERY_MS - clock.bootMs();
    if (dueMs <= 0) return await this.#reload(target);
    const optional = target.wanted.routes.filter(({ key, spec }) => waiting.includes(key) && needsReload(spec));
    const names = (optional.length > 0 ? optional.map(({ key }) => key) : waiting).slice(0, 5).join(", ");
    const what = names === "" ? "" : `${names}: `;
    this.#troubles = [`${what}changes come with the next reload of the ingress, within a minute`];
    this.#reloadTimer?.cancel();
    this.#reloadTimer = clock.after(dueMs, () => {
      const view = this.#view;
      if (view !== undefined)
        void this.#alone(() => this.#apply(view)).catch((error: unknown) => this.#tell(reasonOf(error)));
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
        await this.#proxy.sync(workers, target);
        return;
      }
      if (clock.bootMs() > untilMs) {
        this.#tell("the ingress proxy did not reload in time: the settings of before are in force");
        return;
      }
      await clock.sleep(LOOK_MS);
    }
  }

  #tell(trouble: string): void {
    this.#troubles = [trouble];
    this.#context.log.error("ingress", { reason: trouble });
  }
}
