// How new connections choose among a service's endpoints: a numbered map from a random number, or from a hash of the client's address. By
// client, each number belongs to the endpoint that draws highest for it (rendezvous hashing, Thaler and Ravishankar 1998), so that an
// endpoint that comes or goes moves only its own share of the clients, and every node draws alike. Pure.

import type { Endpoint } from "../../../../src/core/model/routes.ts";

/** Numbers that clients are hashed to: shares are right to 1/128, and a map of this size is small. */
const CLIENT_NUMBERS = 128;

/** Endpoints that get new connections. */
export function chosenFrom(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.filter((endpoint) => endpoint.standing === "in" && endpoint.weight > 0);
}

/**
 * `numgen random mod 3 map { 0 : 10.210.1.10, … }`: the address to send to, and one to send to where that finds nothing. For it can: while rules are
 * replaced, a packet that is still within the old ones finds their map emptied by the kernel, and would be refused. `endpoints` are those of
 * `chosenFrom`, at least one; `port` is added where given.
 */
export function renderChoices(
  endpoints: readonly Endpoint[],
  balance: "random" | "client",
  port?: number,
): readonly string[] {
  const choice = renderChoice(endpoints, balance, port);
  const [heaviest] = endpoints.toSorted((a, b) => b.weight - a.weight);
  return heaviest === undefined || endpoints.length === 1 ? [choice] : [choice, only(heaviest, port)];
}

function only({ address }: Endpoint, port: number | undefined): string {
  return port === undefined ? address : `${address}:${port}`;
}

function renderChoice(endpoints: readonly Endpoint[], balance: "random" | "client", port: number | undefined): string {
  const target = ({ address }: Endpoint): string => (port === undefined ? address : `${address} . ${port}`);
  const ranges = balance === "random" ? rangesByWeight(endpoints) : rangesByClient(endpoints);
  const [first] = ranges;
  if (first !== undefined && ranges.length === 1) return only(first.endpoint, port);
  const size = (ranges.at(-1)?.to ?? 0) + 1;
  const number = balance === "random" ? `numgen random mod ${size}` : `jhash ip saddr mod ${size} seed 0x64617669`;
  const entries = ranges.map(
    ({ from, to, endpoint }) => `${from === to ? from : `${from}-${to}`} : ${target(endpoint)}`,
  );
  return `${number} map { ${entries.join(", ")} }`;
}

type Range = { readonly from: number; readonly to: number; readonly endpoint: Endpoint };

function rangesByWeight(endpoints: readonly Endpoint[]): readonly Range[] {
  const unit = endpoints.reduce((divisor, { weight }) => greatestDivisor(divisor, weight), 0);
  let from = 0;
  return endpoints.map((endpoint) => {
    const range = { from, to: from + endpoint.weight / unit - 1, endpoint };
    from = range.to + 1;
    return range;
  });
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function rangesByClient(endpoints: readonly Endpoint[]): readonly Range[] {
  const ranges: Range[] = [];
  for (let number = 0; number < CLIENT_NUMBERS; number++) {
    const endpoint = highestOf(endpoints, number);
    const last = ranges.at(-1);
    if (last?.endpoint === endpoint) ranges[ranges.length - 1] = { ...last, to: number };
    else ranges.push({ from: number, to: number, endpoint });
  }
  return ranges;
}

function highestOf(endpoints: readonly Endpoint[], number: number): Endpoint {
  return endpoints.reduce((best, endpoint) => (draw(endpoint, number) > draw(best, number) ? endpoint : best));
}

/** Weighted draw: weight over an exponential deviate made of the task and the number. */
function draw(endpoint: Endpoint, number: number): number {
  return -endpoint.weight / Math.log((hashOf(`${endpoint.taskId}/${number}`) + 0.5) / 2 ** 32);
}

/** FNV-1a, finalised as in MurmurHash3; 32 bits. Not cryptographic. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
