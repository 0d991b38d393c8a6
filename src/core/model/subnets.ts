// IPv4 pools and the /24 that each node gets of one. Pure.

import { DavitError } from "./errors.ts";

export type Cidr = { readonly base: number; readonly bits: number };

/** Parses "10.210.0.0/16". Throws `invalid_input`. */
export function parseCidr(text: string): Cidr {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const numbers = (match ?? []).slice(1).map(Number);
  const [a = 256, b = 256, c = 256, d = 256, bits = 33] = numbers;
  if ([a, b, c, d].some((part) => part > 255) || bits > 32) {
    throw new DavitError("invalid_input", `'${text}' is not an IPv4 network`, {
      wayOut: "write it like 10.210.0.0/16",
    });
  }
  const address = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  return { base: maskOf(address, bits), bits };
}

function maskOf(address: number, bits: number): number {
  return bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0;
}

/** Whether an IPv4 address is of a network; what is no IPv4 address is of none. */
export function contains(cidr: Cidr, address: string): boolean {
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(address)) return false;
  return maskOf(parseCidr(`${address}/32`).base, cidr.bits) === cidr.base;
}

/** "10.210.3.0/24". */
export function renderCidr(cidr: Cidr): string {
  return `${renderAddress(cidr.base)}/${cidr.bits}`;
}

/** "10.210.3.10" from a 32-bit number. */
export function renderAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** Bits of a node's subnet: 254 addresses, more than the engine is asked to run on one host. */
export const NODE_SUBNET_BITS = 24;

/** The last part of the pool, one in so many, that services' addresses come from. */
const SERVICE_SHARE_BITS = 3;
/** Marks and link addresses are made of a node's number, in one byte. */
const MAX_NODE_NUMBER = 254;

/** A pool must give several nodes a subnet, leave a part for services, and stay within private use. Throws `invalid_input`. */
export function checkPool(text: string): Cidr {
  const pool = parseCidr(text);
  const most = NODE_SUBNET_BITS - SERVICE_SHARE_BITS;
  if (pool.bits > most || pool.bits < 8) {
    throw new DavitError("invalid_input", `address pool ${text}: must be between /8 and /${most}`, {
      wayOut: `each node takes a /${NODE_SUBNET_BITS} of it, services the last eighth: a /16 has room for ${lastNumber({ base: 0, bits: 16 })} nodes, a /${most} for ${lastNumber({ base: 0, bits: most })}`,
    });
  }
  return pool;
}

/** The part of a pool that services' addresses come from; no node gets a subnet of it. */
export function servicePool(pool: Cidr): Cidr {
  const size = 2 ** (32 - pool.bits);
  const share = 2 ** SERVICE_SHARE_BITS;
  return { base: pool.base + (size / share) * (share - 1), bits: pool.bits + SERVICE_SHARE_BITS };
}

function lastNumber(pool: Cidr): number {
  const share = 2 ** SERVICE_SHARE_BITS;
  const count = (2 ** (NODE_SUBNET_BITS - pool.bits) / share) * (share - 1);
  return Math.min(count - 1, MAX_NODE_NUMBER);
}

/** Index of a node's subnet in the pool, 1–254. */
export function nodeNumber(pool: Cidr, subnet: string): number {
  return (parseCidr(subnet).base - pool.base) / 2 ** (32 - NODE_SUBNET_BITS);
}

/** A node's own address on the mesh, of the zeroth subnet, which no node gets. */
export function meshAddress(pool: Cidr, subnet: string): string {
  return renderAddress(pool.base + nodeNumber(pool, subnet));
}

/** The first subnet of the pool after its zeroth that nobody has. Undefined when the pool is used up. */
export function nextSubnet(pool: Cidr, taken: ReadonlySet<string>): string | undefined {
  const size = 2 ** (32 - NODE_SUBNET_BITS);
  for (let at = 1; at <= lastNumber(pool); at++) {
    const subnet = renderCidr({ base: pool.base + at * size, bits: NODE_SUBNET_BITS });
    if (!taken.has(subnet)) return subnet;
  }
  return undefined;
}

/** The first free address for a service after the one given last, round the pool. Undefined when all are in use. */
export function nextServiceAddress(
  pool: Cidr,
  taken: ReadonlySet<string>,
  last: string | undefined,
): string | undefined {
  const { base, bits } = servicePool(pool);
  const size = 2 ** (32 - bits);
  // neither the network's own address nor its broadcast
  const from = last === undefined ? 0 : parseCidr(`${last}/32`).base - base;
  for (let step = 1; step <= size; step++) {
    const at = (from + step) % size;
    if (at === 0 || at === size - 1) continue;
    const address = renderAddress(base + at);
    if (!taken.has(address)) return address;
  }
  return undefined;
}
