// The kernel's table of connections, by the `conntrack` program: how many are open to a container, and the end of those that lead to one that
// is gone. What leads to one that is out of the routes ends where its client's next packet begins anew: UDP, which has no end of its own while
// its client goes on sending, and TCP that nobody has answered yet.

import { DavitError } from "../../../../src/core/model/errors.ts";
import type { ServiceId } from "../../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../../src/core/model/routes.ts";
import type { ConnectionCounter, NetworkView } from "../../../../src/ports/node-network.ts";
import { type CommandEnd, type HostCommand, mustRun } from "../run-command.ts";
import { chosenFrom } from "./balance.ts";
import { CALLED_MARK } from "./names.ts";

/** One connection: what its client sent to, and who answers. */
export type Connection = {
  readonly protocol: string;
  /** Of TCP, in the kernel's words. */
  readonly state: string | undefined;
  readonly from: string;
  readonly to: string;
  readonly answeredBy: string;
  /** It began within the last eight seconds, and is not established yet: what is lost on the way comes again after one, three, and seven. */
  readonly isBeingMade: boolean;
  /** Addresses and ports of both, as they are in the table. */
  readonly key: string;
};

const ATTEMPTS = ["-p", "tcp", "--state", "SYN_SENT"];
const MANY_ATTEMPTS = 16;

const LINE = /^(\w+)\s+\d+\s+(\d+)\s+(?:([A-Z_]+) )?.*?\bsrc=(\S+) dst=(\S+) .*?\bsrc=(\S+) dst=\S+/;
/**
 * States of TCP in which an entry leads packets on. From TIME_WAIT a client's next connection begins an entry of its own: there is nothing to end,
 * and `conntrack`, which names what it deletes by its ports alone, would take the new one for the old.
 */
const LEADING = new Set(["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "CLOSE"]);

/** By what is left of the 120 and 60 seconds that the kernel remembers an attempt for. */
function isBeingMade(state: string | undefined, leftS: number): boolean {
  return (state === "SYN_SENT" && leftS >= 112) || (state === "SYN_RECV" && leftS >= 52);
}

/** Reads what `conntrack -L` prints; lines of another form are none of ours. */
export function parseConnections(output: string): readonly Connection[] {
  return output.split("\n").flatMap((line) => {
    const [, protocol, left, state, from, to, answeredBy] = LINE.exec(line) ?? [];
    if (protocol === undefined || from === undefined || to === undefined || answeredBy === undefined) return [];
    const key = [...line.matchAll(/\b(?:src|dst|sport|dport)=(\S+)/g)].map(([, value]) => value).join();
    return [
      {
        protocol,
        state,
        from,
        to,
        answeredBy,
        isBeingMade: isBeingMade(state, Number(left)),
        key,
      },
    ];
  });
}

/** Endpoints that connections which doors of this node made still lead to, although no door does any more. Sorted. */
export function strayEndpoints(connections: readonly Connection[], view: NetworkView): readonly string[] {
  const doors = new Set([
    ...view.services.flatMap((service) => chosenFrom(service.endpoints).map(({ address }) => address)),
    ...[...(view.activations?.values() ?? [])].map(({ address }) => address),
  ]);
  const inPool = poolTest(view.mesh.addressPool);
  const stray = connections
    .filter(({ to, answeredBy }) => to !== answeredBy)
    .map(({ answeredBy }) => answeredBy)
    .filter((address) => inPool(address) && !doors.has(address));
  return [...new Set(stray)].toSorted();
}

function poolTest(pool: string): (address: string) => boolean {
  const [base = "", bits = "32"] = pool.split("/");
  const mask = bits === "0" ? 0 : (0xffffffff << (32 - Number(bits))) >>> 0;
  const wanted = (numberOf(base) & mask) >>> 0;
  return (address) => (numberOf(address) & mask) >>> 0 === wanted;
}

function numberOf(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

export class Conntrack implements ConnectionCounter {
  readonly #run: HostCommand;
  /** Connections to services that may fall asleep, at the last look. */
  #called: ReadonlySet<string> = new Set();

  constructor(run: HostCommand) {
    this.#run = run;
  }

  /**
   * Established ones, and those that are being made: a program that accepts slowly lets a first packet fall, or the one that would complete a
   * connection is lost, and the client sends the next some seconds later, to the same endpoint.
   */
  async openTo(address: string): Promise<number> {
    let count = 0;
    for (const state of ["ESTABLISHED", "SYN_SENT", "SYN_RECV"]) {
      const argv = ["conntrack", "-L", "-p", "tcp", "--state", state, "--reply-src", address];
      const output = await mustRun(this.#run, `count connections to ${address}`, argv);
      const open = parseConnections(output).filter((each) => each.state === "ESTABLISHED" || each.isBeingMade);
      count += open.filter(({ from }) => from !== address).length;
    }
    return count;
  }

  /**
   * Services that doors of this node led connections to, which may fall asleep: those with open connections, and those with any that was not there
   * at the last look. What has ended stays in the table for minutes.
   */
  async called(services: readonly ServiceRoutes[]): Promise<readonly ServiceId[]> {
    const mark = `${CALLED_MARK}/${CALLED_MARK}`;
    const output = await mustRun(this.#run, "look who is called", ["conntrack", "-L", "-m", mark]);
    const connections = parseConnections(output);
    const before = this.#called;
    this.#called = new Set(connections.map(({ key }) => key));
    const calling = connections.filter(({ key, state }) => state === "ESTABLISHED" || !before.has(key));
    const answering = new Set(calling.map(({ answeredBy }) => answeredBy));
    const isCalled = ({ endpoints }: ServiceRoutes): boolean => endpoints.some(({ address }) => answering.has(address));
    return services
      .filter((service) => service.waking !== undefined && isCalled(service))
      .map(({ serviceId }) => serviceId);
  }

  /** Whatever the container began or was sent, but what has ended. */
  async forget(address: string): Promise<void> {
    const look = async (side: string): Promise<readonly Connection[]> => {
      const argv = ["conntrack", "-L", side, address];
      return parseConnections(await mustRun(this.#run, `look for connections of ${address}`, argv));
    };
    await this.#end(address, [...(await look("--reply-src")), ...(await look("--orig-src"))]);
  }

  async #end(address: string, connections: readonly Connection[]): Promise<void> {
    const sides = {
      "--reply-src": connections.filter(({ answeredBy }) => answeredBy === address),
      "--orig-src": connections.filter(({ from }) => from === address),
    };
    for (const [side, of] of Object.entries(sides))
      for (const kind of kindsOf(of)) await this.#delete([...kind, side, address]);
  }

  /** Attempts that nobody has answered yet, at endpoints that no door leads to any more. */
  async strayAttempts(view: NetworkView): Promise<readonly Connection[]> {
    const listed = await mustRun(this.#run, "look for unanswered attempts", ["conntrack", "-L", ...ATTEMPTS]);
    const attempts = parseConnections(listed);
    const stray = new Set(strayEndpoints(attempts, view));
    return attempts.filter(({ to, answeredBy }) => to !== answeredBy && stray.has(answeredBy));
  }

  /**
   * Forgets these attempts: their clients' next packets choose anew. Each by its ports, since another to the same endpoint may be answered just now,
   * and would be lost; many of them are forgotten at once, for where so many wait nobody answers.
   */
  async forgetAttempts(attempts: readonly Connection[]): Promise<void> {
    for (const [address, of] of Map.groupBy(attempts, ({ answeredBy }) => answeredBy)) {
      if (of.length > MANY_ATTEMPTS) await this.#delete([...ATTEMPTS, "--reply-src", address]);
      else for (const attempt of of) await this.#delete([...ATTEMPTS, ...tupleOf(attempt)]);
    }
  }

  /**
   * Ends UDP connections that no door leads to any more, and all of addresses that are `gone`; says of which addresses. One look at the
   * table, however many are gone: most of them have no connection left.
   */
  async sweep(view: NetworkView, gone: ReadonlySet<string>): Promise<readonly string[]> {
    const argv = ["conntrack", "-L", ...(gone.size === 0 ? ["-p", "udp"] : [])];
    const connections = parseConnections(await mustRun(this.#run, "look for connections to end", argv));
    const byUdp = connections.filter(({ protocol }) => protocol === "udp");
    const stray = strayEndpoints(byUdp, view).filter((address) => !gone.has(address));
    for (const address of stray) await this.#delete(["-p", "udp", "--reply-src", address]);
    const left = new Set(connections.filter(leads).flatMap(({ from, answeredBy }) => [from, answeredBy]));
    const over = [...gone].filter((address) => left.has(address));
    for (const address of over) await this.#end(address, connections);
    return [...stray, ...over];
  }

  /** Exit code 1 with "0 flow entries" is success: there was nothing. */
  async #delete(filter: readonly string[]): Promise<void> {
    const end = await this.#run(["conntrack", "-D", ...filter]);
    if (end.exitCode === 0 || wasNothing(end)) return;
    throw new DavitError("unavailable", `end connections (conntrack -D ${filter.join(" ")}): ${end.stderr.trim()}`, {
      wayOut:
        end.exitCode === 127 ? "install the package conntrack: join the host again" : "see the agent's log on the host",
    });
  }
}

function leads({ protocol, state = "" }: Connection): boolean {
  return protocol === "udp" || (protocol === "tcp" && LEADING.has(state));
}

/** Of those that lead packets on, the kinds that there are, as arguments of `conntrack`. */
function kindsOf(connections: readonly Connection[]): readonly (readonly string[])[] {
  const kinds = new Set(
    connections.filter(leads).map(({ protocol, state }) => (protocol === "udp" ? "-p udp" : `-p tcp --state ${state}`)),
  );
  return [...kinds].map((kind) => kind.split(" "));
}

/** What names one connection to `conntrack -D`. */
function tupleOf({ key }: Connection): readonly string[] {
  const [from = "", to = "", sourcePort = "", port = ""] = key.split(",");
  return ["--orig-src", from, "--orig-dst", to, "--sport", sourcePort, "--dport", port];
}

function wasNothing(end: CommandEnd): boolean {
  return /\b0 flow entries/.test(end.stderr);
}
