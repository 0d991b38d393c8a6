// What the host knows of the network below the mesh: where each peer's endpoint is, and how large packets to it may be. Names are looked up
// each time; one that does not resolve now keeps the address it had.

import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import type { MeshRoutes } from "../../../../src/core/model/routes.ts";
import type { Log } from "../../../../src/ports/log.ts";
import type { HostCommand } from "../run-command.ts";

const LOOKUP_TIMEOUT_MS = 2_000;
/** Ethernet's, where no route says more. */
const USUAL_MTU = 1_500;

/** IPv4 address of a name; undefined when there is none or the answer takes too long. */
export type Lookup = (name: string) => Promise<string | undefined>;

/** The host's own resolver. */
export const lookUpName: Lookup = async (name) => {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), LOOKUP_TIMEOUT_MS);
  try {
    const found = await Promise.race([lookup(name, { family: 4 }), late]);
    return found?.address;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
};

export class EndpointFinder {
  readonly #lookup: Lookup;
  readonly #log: Log;
  readonly #known = new Map<string, string>();

  constructor(find: Lookup, log: Log) {
    this.#lookup = find;
    this.#log = log;
  }

  /** Address by node id, for every node whose endpoint is one or was ever found. */
  async find(nodes: MeshRoutes["nodes"]): Promise<ReadonlyMap<string, string>> {
    const found = await Promise.all(
      nodes.map(async ({ nodeId, name, endpoint }): Promise<readonly [string, string] | undefined> => {
        const address = await this.#addressOf(name, endpoint.host);
        return address === undefined ? undefined : [nodeId, address];
      }),
    );
    return new Map(found.filter((pair) => pair !== undefined));
  }

  async #addressOf(node: string, host: string): Promise<string | undefined> {
    if (isIPv4(host)) return host;
    const address = await this.#lookup(host);
    if (address !== undefined) this.#known.set(host, address);
    else
      this.#log.warn("a node's endpoint does not resolve to an IPv4 address", {
        node,
        host,
        kept: this.#known.get(host) ?? "none",
      });
    return this.#known.get(host);
  }
}

/** The smallest MTU of the links that lead to these addresses, or of the default route without any. */
export async function linkMtu(
  run: HostCommand,
  addresses: readonly string[],
  mtuOf: (link: string) => number | undefined,
): Promise<number> {
  const targets = addresses.length === 0 ? ["192.0.2.1"] : addresses;
  const links = await Promise.all(
    targets.map(async (address) => linkOf(await run(["ip", "-j", "route", "get", address]))),
  );
  const sizes = links.map((link) => (link === undefined ? undefined : mtuOf(link))).filter((mtu) => mtu !== undefined);
  return sizes.length === 0 ? USUAL_MTU : Math.min(...sizes);
}

function linkOf(end: { readonly exitCode: number; readonly stdout: string }): string | undefined {
  if (end.exitCode !== 0) return undefined;
  const [route] = JSON.parse(end.stdout) as readonly { readonly dev?: string; readonly type?: string }[];
  return route?.dev === "lo" ? undefined : route?.dev;
}
