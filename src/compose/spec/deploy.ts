// deploy: and its older relatives to mode, placement, resources, restart and update policies. Pure.

import type {
  Constraint,
  PlacementSpec,
  ResourceAmounts,
  ResourceSpec,
  RestartPolicy,
  ServiceMode,
} from "../../core/model/service-spec.ts";
import type { UpdatePolicy } from "../../core/model/update-policy.ts";
import { attributeProblem } from "../../core/schedule/attribute.ts";
import { parseConstraint } from "../../core/schedule/constraint-text.ts";
import { type ComposeNode, get, type MapNode } from "../tree/node.ts";
import { asksForJob, type JobKeys, readJobMode } from "../x-davit/job.ts";
import type { Reader } from "./reader.ts";

/** What services get that say nothing: restart always, a second apart at first; one task at a time, the old one stopped first. */
export const DEFAULT_RESTART: RestartPolicy = { condition: "any", delayMs: 1_000, maxAttempts: 0, windowMs: 0 };
export const DEFAULT_UPDATE: UpdatePolicy = {
  parallelism: 1,
  delayMs: 0,
  order: "stop-first",
  failureAction: "pause",
  maxFailureRatio: 0,
  monitorMs: 5_000,
};

const PATTERN = "services.*.deploy";
const COUNT = { min: 0, max: 10_000, whole: true } as const;

export function readMode(
  reader: Reader,
  service: MapNode,
  deploy: MapNode | undefined,
  jobs: JobKeys,
  path: string,
): ServiceMode {
  const asked = reader.word(get(deploy, "mode"), `${path}.deploy.mode`, [
    "replicated",
    "global",
    "replicated-job",
    "global-job",
  ]);
  const mode = asked ?? (asksForJob(jobs) ? "replicated-job" : "replicated");
  const replicas = reader.number(get(deploy, "replicas"), `${path}.deploy.replicas`, COUNT);
  const scale = reader.number(get(service, "scale"), `${path}.scale`, COUNT);
  const modeNode = get(deploy, "mode");
  if (!mode.endsWith("-job") && modeNode !== undefined && asksForJob(jobs))
    reader.problem(
      modeNode.at,
      `${path}.deploy.mode`,
      `'${mode}' runs for ever, and x-davit.schedule, after and job are for what ends: leave the mode out, or write replicated-job or global-job`,
    );
  if (mode === "replicated-job") return readJobMode(reader, jobs, replicas ?? scale, path);
  if (mode === "global" || mode === "global-job") {
    const count = get(deploy, "replicas");
    if (count !== undefined)
      reader.problem(
        count.at,
        `${path}.deploy.replicas`,
        "a global service has one task on each node, so it takes no replicas",
      );
    return { kind: mode };
  }
  return { kind: "replicated", replicas: replicas ?? scale ?? 1 };
}

export function readPlacement(
  reader: Reader,
  service: MapNode,
  deploy: MapNode | undefined,
  path: string,
): PlacementSpec {
  const where = `${path}.deploy.placement`;
  const map = reader.section(get(deploy, "placement"), where, `${PATTERN}.placement`);
  const constraints = reader
    .list(get(map, "constraints"), `${where}.constraints`)
    .flatMap((item, at) => readConstraint(reader, item, `${where}.constraints[${at}]`) ?? []);
  const spreadOver = reader.list(get(map, "preferences"), `${where}.preferences`).flatMap((item, at) => {
    const entry = reader.section(item, `${where}.preferences[${at}]`, `${PATTERN}.placement.preferences`);
    const spread = get(entry, "spread");
    const attribute = reader.text(spread, `${where}.preferences[${at}].spread`);
    if (attribute === undefined || spread === undefined) return [];
    const problem = attributeProblem(attribute);
    if (problem !== undefined) reader.problem(spread.at, `${where}.preferences[${at}].spread`, problem);
    return attribute;
  });
  const platform = reader.text(get(service, "platform"), `${path}.platform`) || undefined;
  return {
    constraints: constraints.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    spreadOver,
    maxPerNode: reader.number(get(map, "max_replicas_per_node"), `${where}.max_replicas_per_node`, COUNT) ?? 0,
    platforms: platform === undefined ? [] : [platform],
  };
}

function readConstraint(reader: Reader, node: ComposeNode, path: string): Constraint | undefined {
  const text = reader.text(node, path);
  if (text === undefined) return undefined;
  const parsed = parseConstraint(text);
  return "problem" in parsed ? reader.problem(node.at, path, parsed.problem) : parsed.constraint;
}

export function readResources(
  reader: Reader,
  service: MapNode,
  deploy: MapNode | undefined,
  path: string,
): ResourceSpec {
  const where = `${path}.deploy.resources`;
  const pattern = `${PATTERN}.resources`;
  const map = reader.section(get(deploy, "resources"), where, pattern);
  const limits = reader.section(get(map, "limits"), `${where}.limits`, `${pattern}.limits`);
  const reserved = reader.section(get(map, "reservations"), `${where}.reservations`, `${pattern}.reservations`);
  const cpus = { min: 0, max: 4_096, whole: false } as const;
  const pids = { min: -1, max: 4_194_304, whole: true } as const;
  return {
    limits: {
      cpus:
        reader.number(get(limits, "cpus"), `${where}.limits.cpus`, cpus) ??
        reader.number(get(service, "cpus"), `${path}.cpus`, cpus) ??
        0,
      memoryBytes:
        reader.bytes(get(limits, "memory"), `${where}.limits.memory`) ??
        reader.bytes(get(service, "mem_limit"), `${path}.mem_limit`) ??
        0,
      pids: Math.max(
        0,
        reader.number(get(limits, "pids"), `${where}.limits.pids`, pids) ??
          reader.number(get(service, "pids_limit"), `${path}.pids_limit`, pids) ??
          0,
      ),
    },
    reservations: {
      cpus: reader.number(get(reserved, "cpus"), `${where}.reservations.cpus`, cpus) ?? 0,
      memoryBytes:
        reader.bytes(get(reserved, "memory"), `${where}.reservations.memory`) ??
        reader.bytes(get(service, "mem_reservation"), `${path}.mem_reservation`) ??
        0,
      generic: readGeneric(reader, get(reserved, "generic_resources"), `${where}.reservations.generic_resources`),
    },
  };
}

function readGeneric(reader: Reader, node: ComposeNode | undefined, path: string): ResourceAmounts["generic"] {
  const amounts: Record<string, number> = {};
  for (const [at, item] of reader.list(node, path).entries()) {
    const where = `${path}[${at}].discrete_resource_spec`;
    const pattern = `${PATTERN}.resources.reservations.generic_resources`;
    const entry = reader.section(item, `${path}[${at}]`, pattern);
    const spec = reader.section(get(entry, "discrete_resource_spec"), where, `${pattern}.discrete_resource_spec`);
    const kind = reader.text(get(spec, "kind"), `${where}.kind`);
    const value = reader.number(get(spec, "value"), `${where}.value`, COUNT);
    if (kind === undefined || value === undefined)
      reader.problem(item.at, `${path}[${at}]`, "wants discrete_resource_spec: {kind: gpu, value: 1}");
    else amounts[kind] = value;
  }
  return amounts;
}

export function readRestart(
  reader: Reader,
  service: MapNode,
  deploy: MapNode | undefined,
  path: string,
  fallback: RestartPolicy = DEFAULT_RESTART,
): RestartPolicy {
  const where = `${path}.deploy.restart_policy`;
  const map = reader.section(get(deploy, "restart_policy"), where, `${PATTERN}.restart_policy`);
  if (map === undefined && get(service, "restart") === undefined) return fallback;
  if (map === undefined) return readShortRestart(reader, get(service, "restart"), `${path}.restart`);
  return {
    condition: reader.word(get(map, "condition"), `${where}.condition`, ["any", "on-failure", "none"]) ?? "any",
    delayMs: reader.duration(get(map, "delay"), `${where}.delay`) ?? DEFAULT_RESTART.delayMs,
    maxAttempts: reader.number(get(map, "max_attempts"), `${where}.max_attempts`, COUNT) ?? 0,
    windowMs: reader.duration(get(map, "window"), `${where}.window`) ?? 0,
  };
}

function readShortRestart(reader: Reader, node: ComposeNode | undefined, path: string): RestartPolicy {
  const text = reader.text(node, path);
  if (node === undefined || text === undefined || ["", "always", "unless-stopped"].includes(text))
    return DEFAULT_RESTART;
  if (text === "no" || text === "false") return { ...DEFAULT_RESTART, condition: "none" };
  const match = /^on-failure(?::(\d{1,4}))?$/.exec(text);
  if (match !== null) return { ...DEFAULT_RESTART, condition: "on-failure", maxAttempts: Number(match[1] ?? 0) };
  reader.problem(node.at, path, `'${text}' is not one of no, always, unless-stopped, on-failure, on-failure:5`);
  return DEFAULT_RESTART;
}

/** Compose has numbers only; a percentage has its place in davit's extension. */
function readParallelism(reader: Reader, map: MapNode, where: string, key: string): number | undefined {
  const node = get(map, "parallelism");
  if (node?.kind !== "scalar" || !/^\d+%$/.test(node.text)) return reader.number(node, `${where}.parallelism`, COUNT);
  const place = `x-davit.${key.replace("_config", "")}.parallelism`;
  return reader.problem(node.at, `${where}.parallelism`, `wants a number, got '${node.text}': write that as ${place}`);
}

export function readUpdate(
  reader: Reader,
  deploy: MapNode | undefined,
  key: "update_config" | "rollback_config",
  path: string,
): UpdatePolicy {
  const where = `${path}.deploy.${key}`;
  const map = reader.section(get(deploy, key), where, `${PATTERN}.${key}`);
  if (map === undefined) return DEFAULT_UPDATE;
  const actions =
    key === "update_config" ? (["pause", "continue", "rollback"] as const) : (["pause", "continue"] as const);
  return {
    parallelism: readParallelism(reader, map, where, key) ?? DEFAULT_UPDATE.parallelism,
    delayMs: reader.duration(get(map, "delay"), `${where}.delay`) ?? DEFAULT_UPDATE.delayMs,
    order: reader.word(get(map, "order"), `${where}.order`, ["stop-first", "start-first"]) ?? DEFAULT_UPDATE.order,
    failureAction:
      reader.word(get(map, "failure_action"), `${where}.failure_action`, actions) ?? DEFAULT_UPDATE.failureAction,
    maxFailureRatio:
      reader.number(get(map, "max_failure_ratio"), `${where}.max_failure_ratio`, { min: 0, max: 1, whole: false }) ?? 0,
    monitorMs: reader.duration(get(map, "monitor"), `${where}.monitor`) ?? DEFAULT_UPDATE.monitorMs,
  };
}
