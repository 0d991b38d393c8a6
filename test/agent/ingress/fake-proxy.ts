// A proxy with real logic in memory: it reads the files of the ingress part when it starts or reloads, keeps servers, maps and certificates, and
// changes them by the commands of the runtime interface. After a reload the old worker goes on as long as it has open sessions.

import { X509Certificate } from "node:crypto";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { IngressFiles } from "../../../workers/agent/network/ingress/ingress-files.ts";
import type { ProxySocket } from "../../../workers/agent/network/ingress/proxy-socket.ts";
import type { HostCommand } from "../../../workers/agent/network/run-command.ts";

type Server = { address: string; port: string; weight: number; isOut: boolean };
type Worker = {
  readonly description: string;
  readonly backends: Map<string, Map<string, Server>>;
  readonly maps: Map<string, Map<string, string>>;
  readonly certificates: Map<string, string>;
  readonly list: Map<string, string>;
};

export const DIRECTORY = "/var/lib/davit/ingress";

/** Files in memory. */
export class MemoryFiles implements IngressFiles {
  readonly texts = new Map<string, string>();
  isFull = false;

  async read(name: string): Promise<string | undefined> {
    return this.texts.get(name);
  }
  async write(name: string, text: string): Promise<boolean> {
    if (this.texts.get(name) === text) return false;
    if (this.isFull) throw new Error("ENOSPC: no space left on device, write");
    this.texts.set(name, text);
    return true;
  }
  async list(directory: string): Promise<readonly string[]> {
    const names = [...this.texts.keys()].filter((name) => name.startsWith(`${directory}/`));
    return names.map((name) => name.slice(directory.length + 1));
  }
  async remove(name: string): Promise<void> {
    this.texts.delete(name);
  }
  async clear(): Promise<void> {
    this.texts.clear();
  }
}

export class FakeProxy implements ProxySocket {
  readonly files: MemoryFiles;
  /** By pid, the newest last; empty while it does not run. */
  readonly workers = new Map<string, Worker>();
  /** Keeps old workers alive after a reload. */
  hasOpenSessions = false;
  reloads = 0;
  readonly commands: string[] = [];
  /** What it says of settings that it does not take. */
  refuses: (config: string) => string | undefined = () => undefined;
  /** What it answers to a command that it does not carry out. */
  refusesCommand: (command: string) => string | undefined = () => undefined;
  /** Called after each command. */
  onCommand: () => void = () => undefined;
  /** What systemd says instead of starting it. */
  startFails: string | undefined;
  #pid = 100;
  #pending = new Map<string, string>();
  #drafts = new Map<string, Map<string, string>>();

  constructor(files: MemoryFiles) {
    this.files = files;
  }

  /** systemctl, journalctl and the proxy's own check of a file. */
  readonly run: HostCommand = async (argv) => {
    const [program, verb] = argv;
    if (program === "/usr/sbin/haproxy") {
      const file = (argv.at(-1) ?? "").slice(DIRECTORY.length + 1);
      const said = this.refuses(this.files.texts.get(file) ?? "");
      return { exitCode: said === undefined ? 0 : 1, stdout: "", stderr: said ?? "" };
    }
    if (verb === "enable" && this.startFails !== undefined) return { exitCode: 1, stdout: "", stderr: this.startFails };
    if (verb === "enable" && this.workers.size === 0) this.#load();
    if (verb === "reload") this.reload();
    if (verb === "disable") this.workers.clear();
    return { exitCode: 0, stdout: "", stderr: "" };
  };

  /** As its crash and restart by systemd. */
  restart(): void {
    this.workers.clear();
    this.#load();
  }

  reload(): void {
    this.reloads += 1;
    if (!this.hasOpenSessions) this.workers.clear();
    this.#load();
  }

  get current(): Worker {
    const worker = [...this.workers.values()].at(-1);
    if (worker === undefined) throw new Error("the proxy does not run");
    return worker;
  }

  /** Where a worker sends requests for a host and path. */
  serversOf(key: string, worker: Worker = this.current): readonly string[] {
    const backend = (worker.maps.get("routes.map")?.get(key) ?? "").split("|")[0] ?? "";
    const servers = [...(worker.backends.get(backend)?.values() ?? [])].filter(({ isOut }) => !isOut);
    return servers.map(({ address, port }) => `${address}:${port}`).sort();
  }

  async ask(pid: string, command: string): Promise<string> {
    if (this.workers.size === 0) {
      const cause = Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
      throw new DavitError("unavailable", "ask the ingress proxy: connection refused", { cause });
    }
    if (pid === "master") return this.#showWorkers();
    const worker = this.workers.get(pid);
    if (worker === undefined) return "Can't find the target PID\n";
    if (!command.startsWith("show")) this.commands.push(command.split("\n")[0] ?? "");
    const refusal = this.refusesCommand(command);
    const answer = refusal ?? this.#answer(worker, command);
    this.onCommand();
    return answer;
  }

  #showWorkers(): string {
    const rows = [...this.workers.keys()].toReversed().map((pid) => `${pid}   worker   0   0d00h00m01s   2.6.12\n`);
    const [current = "", ...old] = rows;
    return `#<PID> <type>\n1   master   0\n# workers\n${current}${old.length === 0 ? "" : `# old workers\n${old.join("")}`}# programs\n\n`;
  }

  #answer(worker: Worker, command: string): string {
    const [head = "", ...payload] = command.split("\n");
    const words = head.split(" ");
    if (head === "show info") return `Name: HAProxy\ndescription: ${worker.description}\n`;
    if (head === "show servers state") return showServers(worker);
    if (head.startsWith("show stat")) return this.#showCounts(worker);
    const file = (name: string): string => name.slice(DIRECTORY.length + 1);
    switch (words.slice(0, 2).join(" ")) {
      case "show map":
        return [...(worker.maps.get(file(words[2] ?? "")) ?? [])]
          .map(([key, value]) => `0xab ${key} ${value}`)
          .join("\n");
      case "prepare map":
        this.#drafts.set(file(words[2] ?? ""), new Map());
        return "New version created: 7\n";
      case "add map":
        for (const line of payload.filter((text) => text !== "")) {
          const cut = line.indexOf(" ");
          this.#drafts.get(file(words[3] ?? ""))?.set(line.slice(0, cut), line.slice(cut + 1));
        }
        return "\n";
      case "commit map":
        worker.maps.set(file(words[3] ?? ""), this.#drafts.get(file(words[3] ?? "")) ?? new Map());
        return "\n";
      case "set server":
        return setServer(worker, words);
      default:
        return this.#certificate(worker, words, payload);
    }
  }

  /** Requests that a worker has answered with 200, by backend. */
  readonly answered = new Map<string, number>();

  /** Has the current worker answer requests to a host and path. */
  answer(key: string, requests: number): void {
    const pid = [...this.workers.keys()].at(-1) ?? "";
    const backend = this.current.maps.get("routes.map")?.get(key)?.split("|")[0] ?? "";
    const counter = `${pid}/${backend}`;
    this.answered.set(counter, (this.answered.get(counter) ?? 0) + requests);
  }

  #showCounts(worker: Worker): string {
    const pid = [...this.workers].find(([, each]) => each === worker)?.[0] ?? "";
    const rows = [...worker.backends.keys()].map((name) => {
      const count = this.answered.get(`${pid}/${name}`) ?? 0;
      return `${name},BACKEND,0,${count},${count * 100},${count * 200},${count},4,9`;
    });
    return ["# pxname,svname,scur,stot,bin,bout,hrsp_2xx,rtime,ttime", ...rows, ""].join("\n");
  }

  #certificate(worker: Worker, words: readonly string[], payload: readonly string[]): string {
    const [verb, , noun, name = ""] = words;
    const key = `${verb} ${noun}`;
    if (key === "show crt-list") return [...worker.list].map(([path, hosts]) => `${path} ${hosts}`).join("\n");
    if (key === "show cert") {
      const pem = worker.certificates.get(name);
      if (pem === undefined) return "Can't display the certificate: Not found\n";
      return pem === ""
        ? "Status: Unused\n"
        : `SHA1 FingerPrint: ${new X509Certificate(pem).fingerprint.replaceAll(":", "")}\n`;
    }
    if (key === "new cert") worker.certificates.set(name, "");
    if (key === "set cert") this.#pending.set(name, payload.join("\n"));
    if (key === "commit cert") worker.certificates.set(name, this.#pending.get(name) ?? "");
    if (key === "add crt-list") {
      const [path = "", ...hosts] = (payload[0] ?? "").split(" ");
      worker.list.set(path, hosts.join(" "));
    }
    if (key === "del crt-list") worker.list.delete(words[4] ?? "");
    if (key === "del cert") worker.certificates.delete(name);
    return "Success!\n";
  }

  #load(): void {
    const text = (name: string): string => this.files.texts.get(name) ?? "";
    const config = text("haproxy.cfg");
    const map = (name: string): Map<string, string> =>
      new Map(
        text(name)
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const),
      );
    const list = new Map(
      text("certificates.list")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const),
    );
    const certificates = new Map([...list.keys()].map((path) => [path, text(path.slice(DIRECTORY.length + 1))]));
    this.#pid += 1;
    this.workers.set(String(this.#pid), {
      description: /^ {2}description (\S+)/m.exec(config)?.[1] ?? "",
      backends: readBackends(config),
      maps: new Map(["routes.map", "challenges.map"].map((name) => [name, map(name)])),
      certificates,
      list,
    });
  }
}

function readBackends(config: string): Worker["backends"] {
  const backends: Worker["backends"] = new Map();
  let servers = new Map<string, Server>();
  for (const line of config.split("\n")) {
    const backend = /^backend (\S+)/.exec(line)?.[1];
    if (backend !== undefined) backends.set(backend, (servers = new Map()));
    const server = /^ {2}server (\S+) (\S+):(\d+) weight (\d+)/.exec(line);
    if (server !== null)
      servers.set(server[1] ?? "", {
        address: server[2] ?? "",
        port: server[3] ?? "",
        weight: Number(server[4]),
        isOut: false,
      });
    const slots = /^ {2}server-template s (\d+)-(\d+)/.exec(line);
    for (let at = Number(slots?.[1]); at <= Number(slots?.[2]); at++)
      servers.set(`s${at}`, { address: "0.0.0.0", port: "1", weight: 1, isOut: true });
  }
  return backends;
}

function showServers({ backends }: Worker): string {
  const rows = [...backends].flatMap(([backend, servers]) =>
    [...servers].map(
      ([name, { address, port, weight, isOut }]) =>
        `${backend} ${name} ${address} ${isOut ? 1 : 0} ${weight} 5 ${port}`,
    ),
  );
  return `1\n# be_name srv_name srv_addr srv_admin_state srv_uweight srv_time_since_last_change srv_port\n${rows.join("\n")}\n`;
}

function setServer(worker: Worker, words: readonly string[]): string {
  const [, , place = "", what, value = "", , port = ""] = words;
  const [backend = "", name = ""] = place.split("/");
  const server = worker.backends.get(backend)?.get(name);
  if (server === undefined) return "No such server.\n";
  if (what === "state") server.isOut = value === "maint";
  if (what === "weight") server.weight = Number(value);
  if (what === "addr") {
    [server.address, server.port] = [value, port];
    return `IP changed from '0.0.0.0' to '${value}', port changed from '1' to '${port}' by 'stats socket command'\n`;
  }
  return "\n";
}
