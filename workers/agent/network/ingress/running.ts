// What a running proxy says of itself, as data: its workers, its servers, its maps, its certificates. Reads only. Pure.

import type { IngressCounts, IngressFigures } from "../../../../src/core/model/ingress-figures.ts";
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

/** What a worker has counted of a backend since it began. */
export type BackendSample = Pick<IngressFigures, "open" | "firstByteMs" | "tookMs"> & {
  readonly counts: IngressCounts;
};

/** The answer to `show stat -1 2 -1`, which is of backends only: by backend. */
export function parseSamples(text: string): ReadonlyMap<string, BackendSample> {
  const [header = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "");
  const columns = new Map(
    header
      .replace(/^#\s*/, "")
      .split(",")
      .map((name, at) => [name, at]),
  );
  return new Map(lines.map((line) => sampleOf(line.split(","), columns)));
}

function sampleOf(fields: readonly string[], columns: ReadonlyMap<string, number>): readonly [string, BackendSample] {
  const text = (column: string): string => fields[columns.get(column) ?? -1] ?? "";
  // empty where it does not apply, as statuses of connections that are not read
  const count = (column: string): number => Number(text(column)) || 0;
  const counts: IngressCounts = {
    answers: {
      "1": count("hrsp_1xx"),
      "2": count("hrsp_2xx"),
      "3": count("hrsp_3xx"),
      "4": count("hrsp_4xx"),
      "5": count("hrsp_5xx"),
    },
    requests: count("stot"),
    bytesIn: count("bin"),
    bytesOut: count("bout"),
    rejected: count("dreq"),
    retries: count("wretr"),
    unreached: count("econ"),
    broken: count("eresp"),
  };
  return [text("pxname"), { counts, open: count("scur"), firstByteMs: count("rtime"), tookMs: count("ttime") }];
}

/** A field of the answer to `show info`. */
export function infoField(text: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
}
