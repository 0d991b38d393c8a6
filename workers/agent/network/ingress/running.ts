// What a running proxy says of itself, as data: its workers, its servers, its maps, its certificates. Reads only. Pure.

import type { ProxyMap } from "./maps.ts";

export type Slot = {
  readonly name: string;
  /** 0.0.0.0 while nothing was ever in it. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** Taken out by whoever drives it: it gets no new requests, and what it has goes on. */
  readonly isOut: boolean;
  /** Since it last went in or out, in seconds. */
  readonly sinceS: number;
};

/** Slots by backend. */
export type RunningServers = ReadonlyMap<string, readonly Slot[]>;

/** Set by the operator, or inherited: what counts as out (forced maintenance, maintenance of a tracked or unresolved server). */
const OUT = 0x01 | 0x02 | 0x20;

export type Workers = {
  /** The worker that takes new connections. */
  readonly current: string | undefined;
  /** Those of before a reload, which finish what they have. */
  readonly old: readonly string[];
};

/** The answer to `show proc`. Pids. */
export function parseWorkers(text: string): Workers {
  const [fresh = "", old = ""] = text.split("# old workers");
  const pids = (part: string): readonly string[] =>
    [...part.matchAll(/^(\d+)\s+worker\s/gm)].map(([, pid]) => pid ?? "");
  return { current: pids(fresh)[0], old: pids(old) };
}

/** The answer to `show servers state`. */
export function parseServers(text: string): RunningServers {
  const [, header = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "");
  const columns = header.replace(/^#\s*/, "").split(" ");
  const at = (name: string): number => columns.indexOf(name);
  const [backend, name, address, port] = [at("be_name"), at("srv_name"), at("srv_addr"), at("srv_port")];
  const [admin, weight, since] = [at("srv_admin_state"), at("srv_uweight"), at("srv_time_since_last_change")];
  const servers = new Map<string, Slot[]>();
  for (const line of lines) {
    const fields = line.split(" ");
    const slots = servers.get(fields[backend] ?? "") ?? [];
    slots.push({
      name: fields[name] ?? "",
      address: fields[address] ?? "",
      port: Number(fields[port]),
      weight: Number(fields[weight]),
      isOut: (Number(fields[admin]) & OUT) !== 0,
      sinceS: Number(fields[since]),
    });
    servers.set(fields[backend] ?? "", slots);
  }
  return servers;
}

/** The answer to `show map FILE`: each line is an id, a key and a value. */
export function parseMap(text: string): ProxyMap {
  const entries = text
    .split("\n")
    .map((line) => /^0x[0-9a-f]+ (\S+) (.*)$/.exec(line))
    .flatMap((match) => (match === null ? [] : [[match[1] ?? "", match[2] ?? ""] as const]));
  return new Map(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The answer to `show ssl crt-list FILE`: hosts by the certificate's file. */
export function parseCertificateList(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split("\n").filter((line) => line.startsWith("/"));
  return new Map(
    lines.map((line) => {
      const [file = "", ...hosts] = line.trim().split(/\s+/);
      return [file, hosts];
    }),
  );
}

/** The answer to `show ssl cert FILE`: upper-case hex of its SHA-1, or undefined when there is none of that name. */
export function parseFingerprint(text: string): string | undefined {
  return /^SHA1 FingerPrint: ([0-9A-F]+)$/m.exec(text)?.[1];
}

/** Requests that a backend has and had. */
export type Requests = { readonly open: number; readonly total: number };

/** The answer to `show stat -1 2 -1`, which is of backends only: requests by backend. */
export function parseRequests(text: string): ReadonlyMap<string, Requests> {
  const [header = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "");
  const columns = header.replace(/^#\s*/, "").split(",");
  const [name, open, total] = ["pxname", "scur", "stot"].map((column) => columns.indexOf(column));
  const at = (fields: readonly string[], column: number | undefined): string => fields[column ?? -1] ?? "";
  return new Map(
    lines.map((line) => {
      const fields = line.split(",");
      return [at(fields, name), { open: Number(at(fields, open)), total: Number(at(fields, total)) }];
    }),
  );
}

/** A field of the answer to `show info`. */
export function infoField(text: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
}
