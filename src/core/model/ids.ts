// Identifiers: 25 characters of base 36, branded by kind, so that a task's id cannot be passed where a node's is wanted.
// Pure: randomness comes in as bytes or as a seed; the same seed and counter give the same id.

declare const brand: unique symbol;

export type Id<Kind extends string> = string & { readonly [brand]: Kind };
export type ClusterId = Id<"cluster">;
export type NodeId = Id<"node">;
export type ServiceId = Id<"service">;
export type TaskId = Id<"task">;
export type NetworkId = Id<"network">;
export type VolumeId = Id<"volume">;
export type TokenId = Id<"token">;

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
export const ID_LENGTH = 25;
/** 17 bytes hold more than the 129 bits that 25 base-36 digits can show. */
export const ID_BYTES = 17;

const ID_PATTERN = /^[0-9a-z]{25}$/;

/** Whether a text has the form of an id (25 characters of [a-z0-9]). */
export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** Brands a text as an id of a kind. The caller vouches that it is one: at an edge, check with `isId` first. */
export function asId<Kind extends string>(text: string): Id<Kind> {
  return text as Id<Kind>;
}

/** An id from at least ID_BYTES random bytes. */
export function idFromBytes<Kind extends string>(bytes: Uint8Array): Id<Kind> {
  if (bytes.length < ID_BYTES) throw new RangeError(`an id needs ${ID_BYTES} random bytes, got ${bytes.length}`);
  let value = 0n;
  for (const byte of bytes.subarray(0, ID_BYTES)) value = (value << 8n) | BigInt(byte);
  let text = "";
  for (let digit = 0; digit < ID_LENGTH; digit++) {
    text = (ALPHABET[Number(value % 36n)] ?? "0") + text;
    value /= 36n;
  }
  return asId<Kind>(text);
}

/** Yields the next id of a kind; a planner is given one made from a seed, so that its output is a function of its input. */
export type IdSource = <Kind extends string>() => Id<Kind>;

/** An id source that is a pure function of `seed` (at least 128 random bits, in production, as text). */
export function idSourceFrom(seed: string): IdSource {
  let counter = 0;
  return <Kind extends string>() => idFromBytes<Kind>(spread(`${seed}/${counter++}`));
}

/** Spreads a text over ID_BYTES bytes with four independent 32-bit FNV-1a lanes, finalised as in MurmurHash3. Not cryptographic: ids are no secrets. */
function spread(text: string): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES);
  for (let lane = 0; lane * 4 < ID_BYTES; lane++) {
    let hash = (0x811c9dc5 ^ Math.imul(lane + 1, 0x9e3779b1)) >>> 0;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
    hash = (hash ^ (hash >>> 16)) >>> 0;
    for (let at = 0; at < 4 && lane * 4 + at < ID_BYTES; at++) bytes[lane * 4 + at] = (hash >>> (8 * at)) & 0xff;
  }
  return bytes;
}
