// healthcheck: and x-davit.health to a health spec. A check by HTTP or TCP goes before a command, because it was written for davit. Pure.

import type { HealthSpec, Probe } from "../../core/model/service-spec.ts";
import { type ComposeNode, get } from "../tree/node.ts";
import type { Reader } from "./reader.ts";
import { readProbe } from "../x-davit/health.ts";

/** As Docker's, but quicker to notice a start: a probe a second costs little while nothing is served yet. */
const DEFAULTS = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  retries: 3,
  startPeriodMs: 0,
  startIntervalMs: 1_000,
} as const;
/** For checks by davit's own probes, which are cheap. */
const PROBE_DEFAULTS = {
  intervalMs: 5_000,
  timeoutMs: 3_000,
  retries: 3,
  startPeriodMs: 10_000,
  startIntervalMs: 500,
} as const;

export function readHealth(
  reader: Reader,
  node: ComposeNode | undefined,
  extension: ComposeNode | undefined,
  path: string,
): HealthSpec {
  const map = reader.section(node, `${path}.healthcheck`, "services.*.healthcheck");
  const probe = readProbe(reader, extension, `${path}.x-davit.health`);
  const defaults = probe === undefined ? DEFAULTS : PROBE_DEFAULTS;
  if (map === undefined)
    return {
      ...defaults,
      ...readTimes(reader, extension, `${path}.x-davit.health`),
      probe: probe ?? { kind: "image" },
    };
  const disabled = reader.bool(get(map, "disable"), `${path}.healthcheck.disable`) === true;
  const test = readTest(reader, get(map, "test"), `${path}.healthcheck.test`);
  return {
    ...defaults,
    ...readTimes(reader, map, `${path}.healthcheck`),
    probe: disabled ? { kind: "none" } : (probe ?? test ?? { kind: "image" }),
  };
}

function readTimes(reader: Reader, node: ComposeNode | undefined, path: string): Partial<HealthSpec> {
  const map = node?.kind === "map" ? node : undefined;
  const times = {
    intervalMs: positive(reader, get(map, "interval"), `${path}.interval`),
    timeoutMs: positive(reader, get(map, "timeout"), `${path}.timeout`),
    retries: reader.number(get(map, "retries"), `${path}.retries`, { min: 1, max: 1_000, whole: true }),
    startPeriodMs: reader.duration(get(map, "start_period"), `${path}.start_period`),
    startIntervalMs: positive(reader, get(map, "start_interval"), `${path}.start_interval`),
  };
  return Object.fromEntries(Object.entries(times).filter(([, value]) => value !== undefined));
}

function positive(reader: Reader, node: ComposeNode | undefined, path: string): number | undefined {
  const value = reader.duration(node, path);
  if (value === undefined || node === undefined || value >= 100) return value;
  return reader.problem(node.at, path, "must be at least 100ms: a probe costs the node work");
}

function readTest(reader: Reader, node: ComposeNode | undefined, path: string): Probe | undefined {
  if (node === undefined) return undefined;
  if (node.kind === "scalar") return { kind: "shell", command: node.text };
  const [kind, ...words] = reader.texts(node, path);
  switch (kind) {
    case "NONE":
      return { kind: "none" };
    case "CMD":
      return words.length > 0
        ? { kind: "command", argv: words }
        : reader.problem(node.at, path, "CMD wants a command after it");
    case "CMD-SHELL":
      return words.length === 1
        ? { kind: "shell", command: words[0] ?? "" }
        : reader.problem(node.at, path, "CMD-SHELL wants one text after it");
    default:
      return reader.problem(node.at, path, "must begin with NONE, CMD or CMD-SHELL, or be one text");
  }
}
