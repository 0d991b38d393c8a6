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

/** A pool must give at least two nodes a subnet, and stay within private use. Throws `invalid_input`. */
export function checkPool(text: string): Cidr {
  const pool = parseCidr(text);
  if (pool.bits > NODE_SUBNET_BITS - 1 || pool.bits < 8) {
    throw new DavitError("invalid_input", `address pool ${text}: must be between /8 and /${NODE_SUBNET_BITS - 1}`, {
      wayOut: `each node takes a /${NODE_SUBNET_BITS} of it: a /16 has room for 255 nodes`,
    });
  }
  return pool;
}

/** The first subnet of the pool after its zeroth that nobody has. Undefined when the pool is used up. */
export function nextSubnet(pool: Cidr, taken: ReadonlySet<string>): string | undefined {
  const size = 2 ** (32 - NODE_SUBNET_BITS);
  const count = 2 ** (NODE_SUBNET_BITS - pool.bits);
  for (let at = 1; at < count; at++) {
    const subnet = renderCidr({ base: pool.base + at * size, bits: NODE_SUBNET_BITS });
    if (!taken.has(subnet)) return subnet;
  }
  return undefined;
}
