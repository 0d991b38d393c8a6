// Random worlds: what may happen to one, and how it is told to the model. After each event time goes on a little, the planner plans
// until nothing is left, every step is checked, and the agents work.

import fc from "fast-check";
import { expect } from "vitest";
import { asId, type NodeId } from "../../../src/core/model/ids.ts";
import type { PlacementSpec, ServiceMode, TaskTemplate } from "../../../src/core/model/service-spec.ts";
import type { UpdatePolicy, UpdateStrategy } from "../../../src/core/model/update-policy.ts";
import { rebalance } from "../../../src/core/commands/rebalance.ts";
import { applyChanges } from "../../../src/core/model/world.ts";
import { commandContext } from "../../fakes/memory-backend.ts";
import { template, WorldModel } from "../../fakes/world-model.ts";
import { Invariants } from "./invariants.ts";
import { TrialInvariants } from "./trial-invariants.ts";

const NODES = ["n1", "n2", "n3", "n4"] as const;
const SERVICES = ["web", "api", "store"] as const;

/** What a version asks for besides its image. */
const SHAPES = {
  plain: () => ({}),
  hostPort: () => ({ ports: hostPorts(8080, 8080) }),
  hostPorts: () => ({ ports: hostPorts(8080, 8082) }),
  onSsd: () => placed({ constraints: [{ attribute: "node.labels.disk", operator: "==", value: "ssd" }] }),
  heavy: () => sized(0, 1.5),
  // the same as each other and as plain but for their size: changed in place
  small: () => sized(1, 0.5),
  large: () => sized(2, 1),
  apart: (service) => placed({ antiAffinity: [{ service: otherThan(service), required: true }] }),
  beside: (service) => placed({ affinity: [{ service: otherThan(service), required: true }] }),
  // two that follow each other are refused before they come here
  follows: (service) => (service === "web" ? placed({ with: "store" }) : {}),
  oneToANode: () => placed({ maxPerNode: 1 }),
  packed: () => placed({ strategy: "binpack" }),
  overDisks: () => placed({ spreadOver: ["node.labels.disk"] }),
  first: () => ({ ...sized(0, 1.5), ...placed({ priority: 10, preempt: true }) }),
} as const satisfies Record<string, (service: string) => Partial<TaskTemplate>>;
type Shape = keyof typeof SHAPES;

type Deploy = {
  readonly kind: "deploy";
  readonly service: string;
  readonly image: number;
  readonly replicas: number;
  readonly shape: Shape;
  readonly update: Partial<Omit<UpdatePolicy, "strategy">> & { readonly strategy: UpdateStrategy | undefined };
};
export type StoryEvent =
  | Deploy
  | { readonly kind: "scale"; readonly service: string; readonly replicas: number }
  | { readonly kind: "force" | "rollback" | "remove"; readonly service: string }
  | { readonly kind: "wish"; readonly service: string; readonly wish: "pause" | "resume" | "promote" }
  | {
      readonly kind: "lose" | "silence" | "return" | "drain" | "deadline" | "pause" | "activate" | "label" | "kill";
      readonly node: string;
    }
  | { readonly kind: "valve" | "restart" | "routes" | "acknowledge" | "rebalance" }
  | { readonly kind: "break"; readonly image: number }
  | { readonly kind: "exhaust"; readonly pick: number }
  | { readonly kind: "wait"; readonly steps: number; readonly ms: number };

const service = fc.constantFrom(...SERVICES);
const node = fc.constantFrom(...NODES);
const image = fc.nat(5);
const anyReplicas = fc.integer({ min: 1, max: 4 });
const anyShape = fc.constantFrom<Shape[]>("plain", "plain", ...(Object.keys(SHAPES) as Shape[]));
const update = fc.record({
  parallelism: fc.constantFrom(0, 1, 1, 2),
  order: fc.constantFrom("start-first" as const, "stop-first" as const),
  failureAction: fc.constantFrom("pause" as const, "rollback" as const),
  delayMs: fc.constantFrom(0, 0, 3_000),
  monitorMs: fc.constantFrom(0, 5_000),
  strategy: fc.constantFrom<(UpdateStrategy | undefined)[]>(
    undefined,
    undefined,
    { kind: "canary", canaries: { tasks: 1 }, weight: 10 },
    { kind: "canary", canaries: { percent: 50 }, weight: 100, holdMs: 10_000 },
    { kind: "blue-green", holdMs: 0, keepMs: 20_000 },
    { kind: "blue-green", keepMs: 5_000 },
  ),
  progressDeadlineMs: fc.constantFrom(30_000, 600_000),
});
/** Anything that may happen. */
export const anyEvent: fc.Arbitrary<StoryEvent> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("deploy" as const),
      service,
      image,
      replicas: anyReplicas,
      shape: anyShape,
      update,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("scale" as const), service, replicas: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("force" as const, "rollback" as const, "remove" as const), service }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wish" as const),
      service,
      wish: fc.constantFrom("pause" as const, "resume" as const, "promote" as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "lose",
        "silence",
        "return",
        "return",
        "drain",
        "deadline",
        "pause",
        "activate",
        "activate",
        "label",
        "kill",
      ) as fc.Arbitrary<"lose">,
      node,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "valve" as const,
        "restart" as const,
        "routes" as const,
        "acknowledge" as const,
        "rebalance" as const,
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("break" as const), image }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("exhaust" as const), pick: fc.nat(30) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      steps: fc.integer({ min: 1, max: 8 }),
      ms: fc.constantFrom(200, 1_000, 5_000, 40_000),
    }),
  },
);

function modeOf({ service: name, replicas }: Deploy): ServiceMode {
  return name === "api" ? { kind: "global" } : { kind: "replicated", replicas };
}

function templateOf({ service: name, shape, image: number }: Deploy): TaskTemplate {
  const volume = name === "store" ? { volume: "data" } : {};
  return template({ image: `image:${number}`, ...volume, ...SHAPES[shape](name) });
}

function placed(changes: Partial<PlacementSpec>): Pick<TaskTemplate, "placement"> {
  return { placement: { constraints: [], spreadOver: [], maxPerNode: 0, platforms: [], ...changes } };
}

function sized(limit: number, reserved: number): Pick<TaskTemplate, "resources"> {
  return {
    resources: {
      limits: { cpus: limit, memoryBytes: 0, pids: 0 },
      reservations: { cpus: reserved, memoryBytes: 0, generic: {} },
    },
  };
}

function hostPorts(from: number, to: number): TaskTemplate["ports"] {
  return [{ target: 80, published: { from, to }, protocol: "tcp", mode: "host" }];
}

function otherThan(name: string): string {
  return name === "web" ? "api" : "web";
}

/** What could not run beside itself takes no strategy: that is refused before it comes here. */
function policyOf({ service: name, shape, update: { strategy, ...rest } }: Deploy): Partial<UpdatePolicy> {
  const isOneOnly = name === "store" || (name === "api" && shape === "hostPort");
  return { ...rest, ...(strategy === undefined || isOneOnly ? {} : { strategy }) };
}

/** One world, and all that is told to it. */
export class Story {
  readonly model = new WorldModel("random");
  readonly invariants = new Invariants(this.model);
  readonly trials = new TrialInvariants(this.model);

  constructor() {
    for (const name of NODES) this.model.node(name, name === "n1" ? { disk: "ssd" } : {});
    this.model.volume("data");
  }

  tell(event: StoryEvent): void {
    const { model } = this;
    switch (event.kind) {
      case "deploy":
        // the model names services by their names: what is left of a removed one must not be taken for the new one's
        if (!model.state.service.has(event.service) && model.tasks(event.service).length > 0) return;
        this.invariants.forgive(event.service);
        model.deploy(event.service, modeOf(event), templateOf(event), policyOf(event));
        break;
      case "wish":
        if (!model.state.service.has(event.service)) return;
        if (event.wish === "resume") this.invariants.forgive(event.service);
        model.wish(event.service, event.wish);
        break;
      case "scale":
        if (model.state.service.get(event.service)?.mode.kind === "replicated")
          model.scale(event.service, event.replicas);
        break;
      case "wait":
        for (let step = 0; step < event.steps; step++) this.step(event.ms);
        return;
      case "break":
        model.broken.add(`image:${event.image}`);
        break;
      case "exhaust":
        this.#exhaust(event.pick);
        break;
      case "force":
      case "rollback":
      case "remove":
        this.#change(event.kind, event.service);
        break;
      case "valve":
        model.valveShut = !model.valveShut;
        break;
      case "restart":
        // a coordinator that starts knows of no contact yet
        for (const id of model.state.node.keys()) model.presence.set(asId<"node">(id), "silent");
        break;
      case "routes":
        model.routesGeneration += 1;
        break;
      case "acknowledge":
        this.#acknowledge();
        break;
      case "rebalance":
        this.#rebalance();
        break;
      default:
        this.#happen(event.kind, asId<"node">(event.node));
    }
    this.step(100);
  }

  step(ms: number): void {
    this.model.nowMs += ms;
    this.model.rest((step) => {
      this.invariants.check(step);
      this.trials.check(step);
    });
    this.invariants.checkState();
    this.trials.checkState();
    this.model.agents();
  }

  #happen(kind: string, id: NodeId): void {
    const { model } = this;
    const record = model.state.node.get(id);
    if (record === undefined) return;
    if (kind === "lose" && !model.valveShut && model.presence.get(id) !== "lost") model.lose(id);
    else if (kind === "silence" && model.presence.get(id) === "ready") model.presence.set(id, "silent");
    else if (kind === "return" && record.confirmedDeadAtMs === undefined) model.comeBack(id);
    else if (kind === "drain") model.availability(id, "drain");
    else if (kind === "deadline")
      model.state.node.set(id, { ...record, availability: "drain", drainUntilMs: model.nowMs + 3_000 });
    else if (kind === "pause") model.availability(id, "pause");
    else if (kind === "activate") model.availability(id, "active");
    else if (kind === "label")
      model.state.node.set(id, { ...record, labels: record.labels["disk"] === "ssd" ? {} : { disk: "ssd" } });
    else if (kind === "kill" && model.presence.get(id) === "lost")
      model.state.node.set(id, { ...record, confirmedDeadAtMs: model.nowMs });
  }

  #change(kind: string, name: string): void {
    const { state } = this.model;
    const known = state.service.get(name);
    if (known === undefined) return;
    if (kind === "remove") {
      state.service.delete(name);
      return;
    }
    this.invariants.forgive(name);
    const { asked: _asked, ...rest } = known;
    if (kind === "force") state.service.set(name, { ...rest, force: known.force + 1, isRollback: false });
    else if (known.previousVersion !== undefined) this.model.goBack(name, known.previousVersion);
  }

  #rebalance(): void {
    const { model } = this;
    const command = rebalance({ worldOf: (state) => ({ ...model.world(), state }) });
    applyChanges(model.state, command(model.state, commandContext(model.nowMs)).changes);
  }

  #exhaust(pick: number): void {
    const tasks = [...this.model.state.task.values()].filter(
      (task) => task.nodeId !== undefined && this.model.presence.get(task.nodeId) === "ready",
    );
    const task = tasks[pick % Math.max(1, tasks.length)];
    if (task === undefined || task.desired !== "running") return;
    const { healthy: _, ...status } = this.model.state.taskStatus.get(task.id) ?? {
      id: task.id,
      attempt: 1,
      reason: "",
      stateAtMs: 0,
    };
    this.model.state.taskStatus.set(task.id, {
      ...status,
      state: "failed",
      stateAtMs: this.model.nowMs,
      exhausted: true,
    });
  }

  #acknowledge(): void {
    const { model } = this;
    for (const { id } of model.state.node.values())
      if (model.presence.get(id) === "ready")
        model.progress.set(id, { routesApplied: model.routesGeneration, workApplied: 0 });
  }

  /** Faults stop: nodes answer, images work, routes are applied. Time goes on only where the planner asked for it. */
  heal(): void {
    const { model } = this;
    model.valveShut = false;
    model.broken.clear();
    for (const { id, confirmedDeadAtMs } of model.state.node.values()) {
      if (confirmedDeadAtMs === undefined) model.comeBack(id);
      model.availability(id, "active");
    }
    for (let round = 0; round < 400; round++) {
      const before = JSON.stringify([
        [...model.state.task.values()],
        [...model.state.taskStatus.values()],
        [...model.state.rollout.values()],
      ]);
      model.routesGeneration += 1;
      this.#acknowledge();
      this.step(1_000);
      const after = JSON.stringify([
        [...model.state.task.values()],
        [...model.state.taskStatus.values()],
        [...model.state.rollout.values()],
      ]);
      if (before !== after) continue;
      if (model.wakeAtMs === undefined) return;
      model.nowMs = Math.max(model.nowMs, model.wakeAtMs);
    }
    expect.fail(`it does not converge: ${model.told.slice(-12).join("\n")}`);
  }
}
