// The difference of two specifications in words: "image web:v1 → web:v2, replicas 2 → 3". Values of environment variables are never
// shown: they may be secret. Pure.

import { type IngressSpec, needsReload, routeKey } from "../model/ingress.ts";
import type { Mount, PortSpec, ServiceMode, ServiceSpec } from "../model/service-spec.ts";
import type { UpdateStrategy } from "../model/update-policy.ts";
import { spanOf } from "../rollout/policy.ts";
import { isSame } from "./same.ts";

/** Differences named one by one; the rest is counted. */
const SHOWN = 8;
/** Values longer than this are not shown. */
const MAX_VALUE = 60;

/** What has a name of its own in messages; everything else is told by its path. First match wins: the longest paths come first. */
const NAMED: readonly { readonly path: string; readonly tell: (before: unknown, after: unknown) => string }[] = [
  { path: "template.container.image", tell: (before, after) => `image ${show(before)} → ${show(after)}` },
  { path: "template.container.env", tell: (before, after) => `environment ${keys(before, after)}` },
  { path: "template.container.labels", tell: (before, after) => `container labels ${keys(before, after)}` },
  { path: "template.container.mounts", tell: (before, after) => mounts(before, after) },
  { path: "template.container.postStart", tell: () => "post_start hooks" },
  { path: "template.container.preStop", tell: () => "pre_stop hooks" },
  { path: "template.container", tell: () => "" },
  { path: "template.ports", tell: (before, after) => `ports ${ports(before)} → ${ports(after)}` },
  { path: "template.placement.constraints", tell: () => "placement constraints" },
  { path: "template.health", tell: () => "health check" },
  { path: "template.restart", tell: () => "restart policy" },
  { path: "template.networks", tell: () => "networks" },
  { path: "template", tell: () => "" },
  { path: "reach.policy", tell: () => "who may call it" },
  { path: "reach", tell: () => "" },
  { path: "dependsOn", tell: () => "depends_on" },
  { path: "update.strategy", tell: (before, after) => `update strategy ${strategy(before)} → ${strategy(after)}` },
  { path: "ingress", tell: (before, after) => ingress(before, after) },
  { path: "scale", tell: () => "when it falls asleep" },
  { path: "labels", tell: (before, after) => `labels ${keys(before, after)}` },
];

/** The differences, in a fixed order; empty when there is none. `mode` is left out: see `describeMode`. */
export function describeSpecChange(before: ServiceSpec, after: ServiceSpec): readonly string[] {
  const { mode: _before, ...left } = before;
  const { mode: _after, ...right } = after;
  return differences("", left, right);
}

/** "replicas 2 → 3", or undefined when the modes are the same. */
export function describeMode(before: ServiceMode, after: ServiceMode): string | undefined {
  if (isSame(before, after)) return undefined;
  if (before.kind === "replicated" && after.kind === "replicated")
    return `replicas ${before.replicas} → ${after.replicas}`;
  return before.kind === after.kind
    ? `${renderMode(before)} → ${renderMode(after)}`
    : `mode ${before.kind} → ${after.kind}`;
}

/** "a job", "a job of 100 tasks, 4 at once". */
function renderJob({ completions, concurrency }: Extract<ServiceMode, { kind: "replicated-job" }>): string {
  const atOnce = concurrency === 0 || concurrency === completions ? "" : `, ${concurrency} at once`;
  return completions === 1 ? "a job" : `a job of ${completions} tasks${atOnce}`;
}

/** "2 replicas", "one task on every node". */
export function renderMode(mode: ServiceMode): string {
  switch (mode.kind) {
    case "replicated":
      return mode.replicas === 1 ? "1 replica" : `${mode.replicas} replicas`;
    case "global":
      return "one task on every node";
    case "replicated-job":
      return renderJob(mode);
    case "global-job":
      return "a job on every node";
  }
}

/** One line of several differences. */
export function joinDifferences(differing: readonly string[]): string {
  const shown = differing.slice(0, SHOWN).join(", ");
  return differing.length > SHOWN ? `${shown} and ${differing.length - SHOWN} more` : shown;
}

function differences(path: string, before: unknown, after: unknown): readonly string[] {
  if (isSame(before, after)) return [];
  const named = NAMED.find((entry) => entry.path === path);
  const told = named?.tell(before, after) ?? "";
  if (told !== "") return [told];
  if (!isObject(before) || !isObject(after)) return [`${shortName(path)} ${show(before)} → ${show(after)}`];
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(byImportance);
  return fields.flatMap((field) => differences(path === "" ? field : `${path}.${field}`, before[field], after[field]));
}

/** The image first, then by name. */
function byImportance(a: string, b: string): number {
  const first = ["template", "container", "image"];
  return Number(first.includes(b)) - Number(first.includes(a)) || (a < b ? -1 : 1);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shortName(path: string): string {
  return path.replace(/^template\.(container\.)?|^reach\./, "");
}

function show(value: unknown): string {
  if (value === undefined) return "none";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

/** "+A -B ~C": added, removed, changed. */
function keys(before: unknown, after: unknown): string {
  const left = isObject(before) ? before : {};
  const right = isObject(after) ? after : {};
  const all = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  const changed = all.filter((key) => left[key] !== right[key]);
  const shown = changed.slice(0, SHOWN).map((key) => `${key in left ? (key in right ? "~" : "-") : "+"}${key}`);
  return `${shown.join(" ")}${changed.length > SHOWN ? ` and ${changed.length - SHOWN} more` : ""}`;
}

/** "config nginx.conf changed, mounts +/data -/cache". */
function mounts(before: unknown, after: unknown): string {
  const left = mountsByTarget(before);
  const right = mountsByTarget(after);
  const targets = [...new Set([...left.keys(), ...right.keys()])].sort();
  const told: string[] = [];
  const named: string[] = [];
  for (const target of targets) {
    const [was, is] = [left.get(target), right.get(target)];
    if (isSame(was, is)) continue;
    if (was?.kind === "config" && is?.kind === "config") told.push(`config ${is.name} changed`);
    else named.push(`${was === undefined ? "+" : is === undefined ? "-" : "~"}${target}`);
  }
  if (told.length === 0 && named.length === 0) return "order of mounts";
  return [...told, ...(named.length === 0 ? [] : [`mounts ${named.join(" ")}`])].join(", ");
}

function mountsByTarget(value: unknown): ReadonlyMap<string, Mount> {
  const list = Array.isArray(value) ? (value as readonly Mount[]) : [];
  return new Map(list.map((mount) => [mount.target, mount]));
}

/** "canary of 20 %, weight 10, held for 5 min". */
function strategy(value: unknown): string {
  if (value === undefined) return "rolling";
  const { holdMs, ...rest } = value as UpdateStrategy;
  const held = holdMs === undefined ? "held until promoted" : holdMs === 0 ? "not held" : `held for ${spanOf(holdMs)}`;
  if (rest.kind === "blue-green") return `${rest.kind}, ${held}, kept for ${spanOf(rest.keepMs)}`;
  const { canaries, weight } = rest;
  const share = "tasks" in canaries ? canaries.tasks : `${canaries.percent} %`;
  return `${rest.kind} of ${share}, weight ${weight}, ${held}`;
}

/** "ingress +shop.example.com/ ~api.example.com/", and whether clients may notice: the proxies reload for routes with options. */
function ingress(before: unknown, after: unknown): string {
  const [left, right] = [routesByKey(before), routesByKey(after)];
  const changed = [...new Set([...left.keys(), ...right.keys()])]
    .sort()
    .filter((key) => !isSame(left.get(key), right.get(key)));
  const shown = changed.slice(0, SHOWN).map((key) => {
    const { host = "", path = "" } = right.get(key) ?? left.get(key) ?? {};
    return `${left.has(key) ? (right.has(key) ? "~" : "-") : "+"}${host}${path}`;
  });
  const more = changed.length > SHOWN ? ` and ${changed.length - SHOWN} more` : "";
  return `ingress ${shown.join(" ")}${more}${reloadNote(changed.flatMap((key) => right.get(key) ?? []))}`;
}

/** What a new service's routes are, in at most one piece of text. */
export function renderRoutes(routes: readonly IngressSpec[]): readonly string[] {
  if (routes.length === 0) return [];
  return [`ingress ${routes.map(({ host, path }) => `${host}${path}`).join(" ")}${reloadNote(routes)}`];
}

/** What a deploy says of routes that come with a reload: empty when none does. */
function reloadNote(routes: readonly IngressSpec[]): string {
  return routes.some(needsReload) ? " (with a reload of the nodes' ingress, at most once a minute)" : "";
}

function routesByKey(value: unknown): ReadonlyMap<string, IngressSpec> {
  const list = Array.isArray(value) ? (value as readonly IngressSpec[]) : [];
  return new Map(list.map((route) => [routeKey(route), route]));
}

function ports(value: unknown): string {
  const list = Array.isArray(value) ? (value as readonly PortSpec[]) : [];
  if (list.length === 0) return "none";
  return list
    .map(
      ({ published: { from, to }, target, protocol }) =>
        `${from === to ? from : `${from}-${to}`}:${target}/${protocol}`,
    )
    .join(" ");
}
