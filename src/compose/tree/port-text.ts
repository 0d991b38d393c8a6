// The short syntax of a port, taken apart but not judged: what merging and reading both need. Pure.

export type PortText = {
  readonly hostIp: string | undefined;
  /** A port, a range, or "" for one that davit chooses. */
  readonly published: string;
  /** A port or a range. */
  readonly target: string;
  readonly protocol: string;
};

const SHORT =
  /^(?:(?<ip>\[[0-9a-fA-F:.]+\]|\d+\.\d+\.\d+\.\d+|):)?(?:(?<published>[0-9-]*):)?(?<target>[0-9-]+)(?:\/(?<protocol>\w+))?$/;

/** "127.0.0.1:8080:80/udp", "[::1]:80:80", "3000-3005", "80". Undefined for what is none of them. */
export function parsePortText(text: string): PortText | undefined {
  const groups = SHORT.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { ip, published = "", target = "", protocol = "tcp" } = groups;
  // an empty address, as in ":8080:80", is any address
  return { hostIp: ip === "" ? undefined : ip?.replace(/^\[|\]$/g, ""), published, target, protocol };
}
