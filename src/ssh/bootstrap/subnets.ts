// IPv4 networks in CIDR form, as far as a collision with the cluster's address pool needs them. Pure.

type Range = { readonly from: number; readonly to: number };

/** Whether two networks share an address. A text that is no IPv4 network shares none; a bare address is a network of one. */
export function overlaps(left: string, right: string): boolean {
  const a = rangeOf(left);
  const b = rangeOf(right);
  return a !== undefined && b !== undefined && a.from <= b.to && b.from <= a.to;
}

function rangeOf(cidr: string): Range | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(cidr);
  if (match === null) return undefined;
  const [, ...parts] = match;
  const bytes = parts.slice(0, 4).map(Number);
  const length = Number(parts[4] ?? 32);
  if (bytes.some((byte) => byte > 255) || length > 32) return undefined;
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const size = 2 ** (32 - length);
  const from = address - (address % size);
  return { from, to: from + size - 1 };
}
