// Brings a running proxy to what it must serve, by its runtime interface: reads what it has, sends only what differs. Nothing is remembered, so
// that an agent or a proxy that was restarted makes no difference.

import { X509Certificate } from "node:crypto";
import { DavitError } from "../../../../src/core/model/errors.ts";
import type { Layout } from "./layout.ts";
import { backendIn, challengesMap, type ProxyMap, routesMap } from "./maps.ts";
import { planServers } from "./plan-servers.ts";
import { MASTER, type ProxySocket } from "./proxy-socket.ts";
import { CERTIFICATE_LIST, CHALLENGES_MAP, type IngressPaths, ROUTES_MAP } from "./render-config.ts";
import {
  infoField,
  parseCertificateList,
  parseFingerprint,
  parseMap,
  parseRequests,
  parseServers,
  parseWorkers,
  type Requests,
  type RunningServers,
  type Workers,
} from "./running.ts";
import type { Wanted, WantedCertificate, WantedRoute } from "./wanted.ts";

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
  /** File of each certificate by its name. */
  readonly certificateFiles: ReadonlyMap<string, string>;
  readonly frame: string;
};

export type Synced = {
  /** Routes that wait for a reload, by key. */
  readonly waiting: readonly string[];
  /** Its frame is another one. */
  readonly isOutdated: boolean;
};

export class RunningProxy {
  readonly #socket: ProxySocket;
  readonly #paths: IngressPaths;

  constructor(socket: ProxySocket, paths: IngressPaths) {
    this.#socket = socket;
    this.#paths = paths;
  }

  /** Its workers; undefined when it does not run. */
  async workers(): Promise<Workers | undefined> {
    try {
      const workers = parseWorkers(await this.#socket.ask(MASTER, "show proc"));
      return workers.current === undefined ? undefined : workers;
    } catch {
      return undefined;
    }
  }

  /** Requests by worker and backend: `1234/b7`. */
  async requests({ current, old }: Workers): Promise<ReadonlyMap<string, Requests>> {
    const all = new Map<string, Requests>();
    for (const worker of [...(current === undefined ? [] : [current]), ...old]) {
      const requests = parseRequests(await this.#socket.ask(worker, "show stat -1 2 -1"));
      for (const [backend, each] of requests) all.set(`${worker}/${backend}`, each);
    }
    return all;
  }

  /** Resolves when all that can be in force without a reload is, in every worker. Rejects when the proxy refuses or does not answer. */
  async sync({ current, old }: Workers, target: Target): Promise<Synced> {
    if (current === undefined) throw new DavitError("internal", "ask the ingress proxy: it has no worker");
    const info = await this.#socket.ask(current, "show info");
    await this.#certificates(current, target);
    const waiting = await this.#worker(current, target, true);
    for (const worker of old) await this.#worker(worker, target, false);
    return { waiting, isOutdated: infoField(info, "description") !== target.frame };
  }

  /** Servers and, of the worker that takes new connections, maps. Gives the keys of routes that it has no backend for. */
  async #worker(worker: string, { wanted, layout }: Target, isCurrent: boolean): Promise<readonly string[]> {
    const running = parseServers(await this.#socket.ask(worker, "show servers state"));
    const held = parseMap(await this.#socket.ask(worker, `show map ${this.#file(ROUTES_MAP)}`));
    const backends = chosenBackends(wanted.routes, layout, running, held);
    const byBackend = new Map(
      wanted.routes.flatMap((route) => {
        const backend = backends.get(route.key);
        return backend === undefined ? [] : [[backend, route.servers] as const];
      }),
    );
    const { into, out } = planServers(running, (backend) => byBackend.get(backend) ?? []);
    await this.#send(worker, into);
    if (isCurrent) {
      await this.#map(
        worker,
        ROUTES_MAP,
        held,
        routesMap(wanted.routes, (key) => backends.get(key)),
      );
      const answers = parseMap(await this.#socket.ask(worker, `show map ${this.#file(CHALLENGES_MAP)}`));
      await this.#map(worker, CHALLENGES_MAP, answers, challengesMap(wanted));
    }
    await this.#send(worker, out);
    const serving = new Map(layout.backends.map(({ route, name }) => [route, name]));
    return wanted.routes.map(({ key }) => key).filter((key) => backends.get(key) !== serving.get(key));
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

  /** New ones come in before old ones go. */
  async #certificates(worker: string, { wanted, certificateFiles }: Target): Promise<void> {
    const list = this.#file(CERTIFICATE_LIST);
    const held = parseCertificateList(await this.#socket.ask(worker, `show ssl crt-list ${list}`));
    const kept = new Set<string>();
    for (const { name, pem, hosts } of wanted.certificates) {
      const file = certificateFiles.get(name);
      if (file === undefined) continue;
      kept.add(file);
      const shown = parseFingerprint(await this.#socket.ask(worker, `show ssl cert ${file}`));
      if (shown !== fingerprintOf(pem)) {
        if (!held.has(file) && shown === undefined) await this.#socket.ask(worker, `new ssl cert ${file}`);
        await this.#must(worker, `set ssl cert ${file} <<\n${withoutBlankLines(pem)}\n`);
        await this.#must(worker, `commit ssl cert ${file}`);
      }
      if (!held.has(file)) await this.#must(worker, `add ssl crt-list ${list} <<\n${file} ${hosts.join(" ")}\n`);
    }
    for (const file of held.keys()) {
      if (kept.has(file)) continue;
      await this.#must(worker, `del ssl crt-list ${list} ${file}`);
      await this.#must(worker, `del ssl cert ${file}`);
    }
  }

  async #send(worker: string, commands: readonly string[]): Promise<void> {
    for (const command of commands) await this.#must(worker, command);
  }

  async #must(worker: string, command: string): Promise<void> {
    const answer = await this.#socket.ask(worker, command);
    if (!answer.split("\n").every((line) => DONE.test(line.trim()))) throw refused(command, answer);
  }

  #file(name: string): string {
    return `${this.#paths.directory}/${name}`;
  }
}

/** The backend of the layout where the proxy has it; else the one that it leads the route to now, until a reload. */
export function chosenBackends(
  routes: readonly WantedRoute[],
  layout: Layout,
  running: RunningServers,
  held: ProxyMap,
): ReadonlyMap<string, string> {
  const laid = new Map(layout.backends.map(({ route, name }) => [route, name]));
  const taken = new Set(layout.backends.flatMap(({ route, name }) => (route === undefined ? [] : [name])));
  return new Map(
    routes.flatMap(({ key }) => {
      const wanted = laid.get(key);
      if (wanted !== undefined && running.has(wanted)) return [[key, wanted] as const];
      const now = backendIn(held.get(key) ?? "");
      return running.has(now) && !taken.has(now) ? [[key, now] as const] : [];
    }),
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

function refused(command: string, answer: string): DavitError {
  const [first = ""] = command.split("\n");
  return new DavitError("internal", `drive the ingress proxy: '${first}': ${answer.trim().slice(0, 300)}`);
}
