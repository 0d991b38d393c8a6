// Brings a running proxy to what it must serve, by its runtime interface: reads what it has, sends only what differs. Nothing is remembered, so
// that an agent or a proxy that was restarted makes no difference.

import { X509Certificate } from "node:crypto";
import { DavitError, reasonOf } from "../../../../src/core/model/errors.ts";
import type { Layout } from "./layout.ts";
import { backendIn, challengesMap, type ProxyMap, routesMap } from "./maps.ts";
import { planServers, planWithdrawal, type ServerCommands } from "./plan-servers.ts";
import { MASTER, type ProxySocket } from "./proxy-socket.ts";
import { CERTIFICATE_LIST, CHALLENGES_MAP, type IngressPaths, ROUTES_MAP } from "./render-config.ts";
import {
  type BackendSample,
  infoField,
  parseCertificateList,
  parseFingerprint,
  parseMap,
  parseSamples,
  parseServers,
  parseWorkers,
  type RunningServers,
  type Workers,
} from "./running.ts";
import type { Wanted, WantedCertificate, WantedRoute, WantedServer } from "./wanted.ts";

/** The proxy reads a command with its payload into one buffer of 16 KiB. */
const MAX_PAYLOAD = 12_000;
/** What it answers to a command that it carried out. */
const DONE =
  /^$|changed from|no need to change|^Success!$|^Committing |^Transaction |^New |^Inserting |^Deleting |^Removing |^Entry .* deleted|^Certificate .* deleted|^\.+$/;

/** A certificate that the node has. */
export type KnownCertificate = WantedCertificate & { readonly pem: string };
export type Served = Omit<Wanted, "certificates"> & { readonly certificates: readonly KnownCertificate[] };

export type Target = {
  readonly wanted: Served;
  readonly layout: Layout;
  /** File of each certificate by its name; absent where they could not be read or written: the running ones are left alone. */
  readonly certificateFiles?: ReadonlyMap<string, string>;
  readonly frame: string;
};

export type Synced = {
  /** Routes that wait for a reload, by key. */
  readonly waiting: readonly string[];
  /** Its frame is another one. */
  readonly isOutdated: boolean;
  /** What it refused, in words; all else is in force. */
  readonly faults: readonly string[];
};

export class RunningProxy {
  readonly #socket: ProxySocket;
  readonly #paths: IngressPaths;

  constructor(socket: ProxySocket, paths: IngressPaths) {
    this.#socket = socket;
    this.#paths = paths;
  }

  /** Its workers; undefined when it does not run. Rejects when it runs and does not answer. */
  async workers(): Promise<Workers | undefined> {
    const said = await this.#socket.ask(MASTER, "show proc").catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    const workers = said === undefined ? undefined : parseWorkers(said);
    return workers?.current === undefined ? undefined : workers;
  }

  /** What workers have counted, by worker and backend: `1234/b7`. */
  async samples({ current, old }: Workers): Promise<ReadonlyMap<string, BackendSample>> {
    const all = new Map<string, BackendSample>();
    for (const worker of [...(current === undefined ? [] : [current]), ...old]) {
      const samples = parseSamples(await this.#socket.ask(worker, "show stat -1 2 -1"));
      for (const [backend, sample] of samples) all.set(`${worker}/${backend}`, sample);
    }
    return all;
  }

  /**
   * Resolves when all that can be in force without a reload is, in every worker. What it refuses of a part is told as a fault, and holds up
   * nothing else. Rejects when it does not answer, or does not take out a server that no route has any more.
   */
  async sync({ current, old }: Workers, target: Target): Promise<Synced> {
    if (current === undefined) throw new DavitError("internal", "ask the ingress proxy: it has no worker");
    const info = await this.#socket.ask(current, "show info");
    const faults = await this.#certificates(current, target);
    const waiting = await this.#current(current, target, faults);
    for (const worker of old) await this.#old(worker, target, faults);
    return { waiting, isOutdated: infoField(info, "description") !== target.frame, faults };
  }

  /** The least that must be: takes out of every worker what is not among these servers (address and port, joined by a colon). */
  async withdraw({ current, old }: Workers, kept: ReadonlySet<string>): Promise<void> {
    for (const worker of [...(current === undefined ? [] : [current]), ...old]) {
      const running = parseServers(await this.#socket.ask(worker, "show servers state"));
      await this.#takeOut(worker, planWithdrawal(running, kept));
    }
  }

  /** Servers and maps of the worker that takes new connections. Gives the keys of routes that it has no backend for. */
  async #current(worker: string, { wanted, layout }: Target, faults: string[]): Promise<readonly string[]> {
    const running = parseServers(await this.#socket.ask(worker, "show servers state"));
    const held = parseMap(await this.#socket.ask(worker, `show map ${this.#file(ROUTES_MAP)}`));
    const backends = chosenBackends(wanted.routes, layout, running, held);
    const { before, after } = ordered(planServers(running, serversBy(wanted.routes, backends)), held, backends);
    // nobody is led to a backend while it changes hands
    const theirs = withoutTakenOver(held, backends);
    if (theirs.size < held.size) await this.#map(worker, ROUTES_MAP, held, theirs);
    await this.#takeOut(worker, before);
    await this.#tried(worker, after.into, faults);
    const led = routesMap(wanted.routes, (key) => backends.get(key));
    await this.#noting(faults, () => this.#map(worker, ROUTES_MAP, theirs, led));
    const answers = parseMap(await this.#socket.ask(worker, `show map ${this.#file(CHALLENGES_MAP)}`));
    await this.#noting(faults, () => this.#map(worker, CHALLENGES_MAP, answers, challengesMap(wanted)));
    await this.#takeOut(worker, after.out);
    const serving = new Map(layout.backends.map(({ route, name }) => [route, name]));
    return wanted.routes.map(({ key }) => key).filter((key) => backends.get(key) !== serving.get(key));
  }

  /** One of before a reload leads requests of kept connections as it did when it got no new ones any more: only the servers follow. */
  async #old(worker: string, { wanted }: Target, faults: string[]): Promise<void> {
    const running = parseServers(await this.#socket.ask(worker, "show servers state"));
    const held = parseMap(await this.#socket.ask(worker, `show map ${this.#file(ROUTES_MAP)}`));
    const backends = new Map([...held].map(([key, value]) => [key, backendIn(value)]));
    const plans = planServers(running, serversBy(wanted.routes, backends));
    await this.#tried(
      worker,
      plans.flatMap(({ into }) => into),
      faults,
    );
    await this.#takeOut(
      worker,
      plans.flatMap(({ out }) => out),
    );
  }

  async #map(worker: string, name: string, held: ProxyMap, target: ProxyMap): Promise<void> {
    if (JSON.stringify([...held]) === JSON.stringify([...target])) return;
    const file = this.#file(name);
    const answer = await this.#socket.ask(worker, `prepare map ${file}`);
    const version = /New version created: (\d+)/.exec(answer)?.[1];
    if (version === undefined) throw refused(`prepare map ${file}`, answer);
    for (const chunk of chunksOf([...target].map(([key, value]) => `${key} ${value}`)))
      await this.#must(worker, `add map @${version} ${file} <<\n${chunk.join("\n")}\n`);
    await this.#must(worker, `commit map @${version} ${file}`);
  }

  /** New ones come in before old ones go. Gives what it refused: one bad certificate is no reason to keep another one back. */
  async #certificates(worker: string, { wanted, certificateFiles }: Target): Promise<string[]> {
    if (certificateFiles === undefined) return [];
    const faults: string[] = [];
    const list = this.#file(CERTIFICATE_LIST);
    const held = parseCertificateList(await this.#socket.ask(worker, `show ssl crt-list ${list}`));
    const kept = new Set<string>();
    for (const certificate of wanted.certificates) {
      const file = certificateFiles.get(certificate.name);
      if (file === undefined) continue;
      kept.add(file);
      await this.#noting(faults, () => this.#certificate(worker, certificate, file, held.has(file)));
    }
    for (const file of held.keys()) {
      if (kept.has(file)) continue;
      await this.#noting(faults, async () => {
        await this.#must(worker, `del ssl crt-list ${list} ${file}`);
        await this.#must(worker, `del ssl cert ${file}`);
      });
    }
    return faults;
  }

  async #certificate(worker: string, { pem, hosts }: KnownCertificate, file: string, isListed: boolean): Promise<void> {
    const shown = parseFingerprint(await this.#socket.ask(worker, `show ssl cert ${file}`));
    if (shown !== fingerprintOf(pem)) {
      if (!isListed && shown === undefined) await this.#socket.ask(worker, `new ssl cert ${file}`);
      await this.#must(worker, `set ssl cert ${file} <<\n${withoutBlankLines(pem)}\n`);
      await this.#must(worker, `commit ssl cert ${file}`);
    }
    if (isListed) return;
    await this.#must(worker, `add ssl crt-list ${this.#file(CERTIFICATE_LIST)} <<\n${file} ${hosts.join(" ")}\n`);
  }

  /** Carries out all of them, then rejects when one was refused: what is withdrawn must not get a request. */
  async #takeOut(worker: string, commands: readonly string[]): Promise<void> {
    const faults: string[] = [];
    await this.#tried(worker, commands, faults);
    if (faults.length > 0) throw new DavitError("internal", faults.join("; ").slice(0, 500));
  }

  async #tried(worker: string, commands: readonly string[], faults: string[]): Promise<void> {
    for (const command of commands) await this.#noting(faults, () => this.#must(worker, command));
  }

  /** Notes a refusal instead of rejecting; a proxy that does not answer is asked nothing more. */
  async #noting(faults: string[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof DavitError && error.code === "unavailable") throw error;
      faults.push(reasonOf(error));
    }
  }

  async #must(worker: string, command: string): Promise<void> {
    const answer = await this.#socket.ask(worker, command);
    if (!answer.split("\n").every((line) => DONE.test(line.trim()))) throw refused(command, answer);
  }

  #file(name: string): string {
    return `${this.#paths.directory}/${name}`;
  }
}

/**
 * The backend of the layout where the proxy has it; else the one that it leads the route to now, until a reload: whoever was to have that one
 * waits too.
 */
export function chosenBackends(
  routes: readonly Pick<WantedRoute, "key">[],
  layout: Layout,
  running: RunningServers,
  held: ProxyMap,
): ReadonlyMap<string, string> {
  const laid = new Map(layout.backends.map(({ route, name }) => [route, name]));
  const ready = (key: string): string | undefined => {
    const name = laid.get(key);
    return name !== undefined && running.has(name) ? name : undefined;
  };
  const staying = new Map(
    routes.flatMap(({ key }) => {
      const now = backendIn(held.get(key) ?? "");
      return ready(key) === undefined && running.has(now) ? [[key, now] as const] : [];
    }),
  );
  const kept = new Set(staying.values());
  return new Map(
    routes.flatMap(({ key }) => {
      const name = ready(key);
      const chosen = name !== undefined && !kept.has(name) ? name : staying.get(key);
      return chosen === undefined ? [] : [[key, chosen] as const];
    }),
  );
}

/** What a backend must have, where routes are led as told. */
function serversBy(
  routes: readonly WantedRoute[],
  backends: ReadonlyMap<string, string>,
): (backend: string) => readonly WantedServer[] {
  const servers = new Map<string | undefined, readonly WantedServer[]>(
    routes.map((route) => [backends.get(route.key), route.servers]),
  );
  return (backend) => servers.get(backend) ?? [];
}

/** Of a backend that its route is not led to yet, what is in it goes before anything: it is another route's. Elsewhere what comes is first. */
function ordered(
  plans: readonly ServerCommands[],
  held: ProxyMap,
  backends: ReadonlyMap<string, string>,
): { readonly before: readonly string[]; readonly after: Omit<ServerCommands, "backend"> } {
  const fresh = new Set(
    [...backends].flatMap(([key, name]) => (backendIn(held.get(key) ?? "") === name ? [] : [name])),
  );
  const isFresh = ({ backend }: ServerCommands): boolean => fresh.has(backend);
  return {
    before: plans.filter(isFresh).flatMap(({ out }) => out),
    after: {
      into: plans.flatMap(({ into }) => into),
      out: plans.filter((plan) => !isFresh(plan)).flatMap(({ out }) => out),
    },
  };
}

/** What is held but the entries that lead to a backend which another route is to have. */
function withoutTakenOver(held: ProxyMap, backends: ReadonlyMap<string, string>): ProxyMap {
  const given = new Set(backends.values());
  return new Map(
    [...held].filter(([key, value]) => backends.get(key) === backendIn(value) || !given.has(backendIn(value))),
  );
}

function* chunksOf(lines: readonly string[]): Generator<readonly string[]> {
  let chunk: string[] = [];
  let length = 0;
  for (const line of lines) {
    if (chunk.length > 0 && length + line.length > MAX_PAYLOAD) {
      yield chunk;
      [chunk, length] = [[], 0];
    }
    chunk.push(line);
    length += line.length + 1;
  }
  if (chunk.length > 0) yield chunk;
}

/** A blank line ends a payload. */
function withoutBlankLines(pem: string): string {
  return pem
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .join("\n");
}

function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint.replaceAll(":", "");
}

/** Nobody listens. */
function isAbsent(error: unknown): boolean {
  const cause = error instanceof DavitError ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ENOENT" || code === "ECONNREFUSED";
}

function refused(command: string, answer: string): DavitError {
  const [first = ""] = command.split("\n");
  return new DavitError("internal", `drive the ingress proxy: '${first}': ${answer.trim().slice(0, 300)}`);
}
