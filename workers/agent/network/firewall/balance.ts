// How new connections choose among a service's endpoints: by a random number, or by a hash of the client's address. By client, each number belongs to
// the endpoint that draws highest for it (rendezvous hashing, Thaler and Ravishankar 1998), so that an endpoint that comes or goes moves
// only its own share of the clients, and every node draws alike. Pure.

import type { Endpoint } from "../../../../src/core/model/routes.ts";
import { commonDivisor } from "../../../../src/core/model/shares.ts";

/** Numbers that clients are hashed to: shares are right to 1/128, and a map of this size is small. */
const CLIENT_NUMBERS = 128;

/** Endpoints that get new connections. */
export function chosenFrom(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.filter((endpoint) => endpoint.standing === "in" && endpoint.weight > 0);
}

/** One way to go: if `when` matches (always, if it is empty), to `target`. */
export type Choice = { readonly when: string; readonly target: string };

/**
 * Ways in order, of which the last one is open to all: while rules are replaced the kernel empties their maps before the last packet is through, and
 * one that found nothing would be refused. `endpoints` are those of `chosenFrom`, at least one; `port` is added where given.
 */
export function choices(
  endpoints: readonly Endpoint[],
  balance: "random" | "client",
  port?: number,
): readonly Choice[] {
  return balance === "random" ? byWeight(endpoints, port) : byClient(endpoints, port);
}

/** Each takes its share of what those before it left: rules without maps, of which the kernel makes a thousand in half the time. */
function byWeight(endpoints: readonly Endpoint[], port: number | undefined): readonly Choice[] {
  const unit = commonDivisor(endpoints.map(({ weight }) => weight));
  let left = endpoints.reduce((sum, { weight }) => sum + weight / unit, 0);
  return endpoints.map((endpoint, at) => {
    const share = endpoint.weight / unit;
    const when = at === endpoints.length - 1 ? "" : `numgen random mod ${left} < ${share}`;
    left -= share;
    return { when, target: targetOf(endpoint, port, ":") };
  });
}

function byClient(endpoints: readonly Endpoint[], port: number | undefined): readonly Choice[] {
  const [first, ...more] = rangesByClient(endpoints);
  if (first === undefined) return [];
  const other = { when: "", target: targetOf(first.endpoint, port, ":") };
  if (more.length === 0) return [other];
  const entries = [first, ...more].map(
    ({ from, to, endpoint }) => `${from === to ? from : `${from}-${to}`} : ${targetOf(endpoint, port, " . ")}`,
  );
  const hash = `jhash ip saddr mod ${CLIENT_NUMBERS} seed 0x64617669`;
  return [{ when: "", target: `${hash} map { ${entries.join(", ")} }` }, other];
}

function targetOf({ address }: Endpoint, port: number | undefined, joint: string): string {
  return port === undefined ? address : `${address}${joint}${port}`;
}

type Range = { readonly from: number; readonly to: number; readonly endpoint: Endpoint };

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
