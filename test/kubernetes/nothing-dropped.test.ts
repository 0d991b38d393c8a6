// Nothing is dropped in silence: whatever field of a stack is changed or left out, the manifests or the notes change. Whether a field takes
// effect may depend on others (a restart policy on the mode), so each is tried in several stacks, and must count in one of them.

import { expect, test } from "vitest";
import type { Probe, ServiceSpec, StackSpec } from "../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../src/core/model/update-policy.ts";
import { exportStack } from "../../src/kubernetes/export.ts";
import { FULL, OPTIONS } from "./full-stack.ts";

type Path = readonly (string | number)[];

/** Fields that say again what another one says. */
const REPEATED: ReadonlySet<string> = new Set(["services.stack", "volumes.stack", "networks.stack"]);

/** What a word may be instead, where any other text would be none of its kind. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  always: "never",
  "start-first": "stop-first",
  "stop-first": "start-first",
  rollback: "continue",
  "on-failure": "any",
  stop: "keep",
  ingress: "host",
  tcp: "udp",
  dnsrr: "vip",
  client: "random",
  "==": "!=",
  host: "private",
  none: "host",
  nfs: "nfs4",
  pause: "continue",
  forbid: "replace",
};

function withTemplate(
  changes: Partial<ServiceSpec["template"]>,
  container: Partial<ServiceSpec["template"]["container"]> = {},
): StackSpec {
  const services = FULL.services.map((service) => ({
    ...service,
    template: { ...service.template, ...changes, container: { ...service.template.container, ...container } },
  }));
  return { ...FULL, services };
}

function withMode(mode: ServiceSpec["mode"]): StackSpec {
  const { networkMode: _, ...container } = FULL.services[0].template.container;
  const services = FULL.services.map((service) => ({ ...service, mode, template: { ...service.template, container } }));
  return { ...FULL, services };
}

function withPolicies(policy: Partial<UpdatePolicy>, rollback: Partial<UpdatePolicy> = policy): StackSpec {
  const without = ({ parallelismPercent: _percent, ...rest }: UpdatePolicy): UpdatePolicy => rest;
  const services = FULL.services.map((service) => ({
    ...service,
    update: { ...without(service.update), ...policy },
    rollback: { ...without(service.rollback), ...rollback },
  }));
  return { ...FULL, services };
}

const [APP] = FULL.services;
const { health: HEALTH, ports: PORTS } = APP.template;
const { pidMode: _pid, utsMode: _uts, ...RUNTIME } = APP.template.container.runtime;
const HELD = PORTS.map((port) => ({ ...port, published: { from: 8080, to: 8081 }, mode: "host" as const }));
const probing = (probe: Probe): StackSpec => withTemplate({ health: { ...HEALTH, probe } });

const STACKS: readonly StackSpec[] = [
  FULL,
  withMode({ kind: "replicated", replicas: 1 }),
  withMode({ kind: "replicated", replicas: 4 }),
  withMode({ kind: "global" }),
  withMode({ kind: "replicated-job", completions: 3, concurrency: 2 }),
  withMode({ kind: "global-job" }),
  probing({ kind: "image" }),
  probing({ kind: "none" }),
  probing({ kind: "command", argv: ["check", "now"] }),
  probing({ kind: "shell", command: "check" }),
  probing({ kind: "tcp", port: 80 }),
  withPolicies({ strategy: { kind: "blue-green", holdMs: 60_000, keepMs: 300_000 } }),
  withPolicies({ strategy: { kind: "canary", canaries: { tasks: 2 }, weight: 50 } }),
  withPolicies({}, { parallelism: 1 }),
  withTemplate({ ports: HELD }),
  withTemplate({ ports: HELD }, { networkMode: "host" }),
  withTemplate({}, { runtime: RUNTIME }),
  withTemplate({ settleMs: 60_000, health: { ...HEALTH, probe: { kind: "none" } } }),
].flatMap((stack) => [stack, published(stack)]);

/** The same with ports that are published, on a port of the nodes too. */
function published(stack: StackSpec): StackSpec {
  const ports = [
    { target: 8080, published: { from: 9000, to: 9001 }, protocol: "tcp", mode: "ingress" },
    { target: 8081, published: { from: 9100, to: 9100 }, protocol: "tcp", mode: "host", hostIp: "10.0.0.1" },
  ] as const;
  const services = stack.services.map((service) => {
    const { networkMode: _, ...container } = service.template.container;
    return { ...service, template: { ...service.template, container, ports } };
  });
  return { ...stack, services };
}

/** Every place in a value, with what may stand there instead; undefined leaves it out. */
function changesIn(value: unknown, path: Path): readonly (readonly [Path, unknown])[] {
  if (typeof value === "number") return [[path, value < 1 ? value / 2 + 0.25 : value + 1_000]];
  if (typeof value === "boolean") return [[path, !value]];
  if (typeof value === "string") return [[path, OTHER_WORDS[value] ?? `${value}2`]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    changesIn(item, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function changed(value: unknown, [key, ...rest]: Path, to: unknown): unknown {
  if (key === undefined) return to;
  if (Array.isArray(value)) return value.map((item, at) => (at === key ? changed(item, rest, to) : (item as unknown)));
  const fields = value as Readonly<Record<string, unknown>>;
  return { ...fields, [key]: changed(fields[key], rest, to) };
}

/** What an export comes to; an error counts as said. */
function outcome(stack: StackSpec): string {
  try {
    return JSON.stringify([false, true].map((networkPolicies) => exportStack(stack, { ...OPTIONS, networkPolicies })));
  } catch (error) {
    return String(error);
  }
}

/** The field's own name: positions in lists do not count. */
function fieldOf(path: Path): string {
  return path.filter((key) => typeof key === "string").join(".");
}

test("a change of any field changes the manifests or the notes", { timeout: 30_000 }, () => {
  const silent = new Map<string, boolean>();
  for (const stack of STACKS) {
    const before = outcome(stack);
    for (const [path, to] of changesIn(stack, [])) {
      const field = fieldOf(path);
      if (silent.get(field) === false) continue;
      silent.set(field, outcome(changed(stack, path, to) as StackSpec) === before);
    }
  }
  expect(silent.size).toBeGreaterThan(150);
  expect([...silent].filter(([field, isSilent]) => isSilent && !REPEATED.has(field)).map(([field]) => field)).toEqual(
    [],
  );
});
