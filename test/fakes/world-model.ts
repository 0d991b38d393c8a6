// A small world for planner tests: builders for records, and agents that do what they are told, one step at a time, without any clock
// but the one given. It holds no decisions of davit's own.

import { expect } from "vitest";
import { asId, type IdSource, idSourceFrom, type NodeId, type TaskId } from "../../src/core/model/ids.ts";
import type { Availability, Node, NodeStatus, Service, Task, TaskStatus } from "../../src/core/model/records.ts";
import { LEASE_MS } from "../../src/core/model/lease.ts";
import type { JobSpec } from "../../src/core/model/job.ts";
import {
  type Dependency,
  isJobMode,
  type ServiceMode,
  type ServiceSpec,
  type TaskTemplate,
} from "../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../src/core/model/update-policy.ts";
import {
  applyChange,
  applyChanges,
  emptyState,
  type Measured,
  type MutableState,
  type NodeProgress,
  type Presence,
  versionKey,
  type World,
} from "../../src/core/model/world.ts";
import { plan } from "../../src/core/reconcile/plan.ts";
import { changesOf, describeStep, forgetTask, type Step } from "../../src/core/reconcile/step.ts";
import { createCalendar } from "../../src/system/calendar.ts";

const nextTick = createCalendar();

export const UPDATE: UpdatePolicy = {
  parallelism: 1,
  delayMs: 0,
  order: "stop-first",
  failureAction: "pause",
  maxFailureRatio: 0,
  monitorMs: 5_000,
};

/** Runs once at each deploy; an hour to begin in, no limit to end in. */
export const JOB: JobSpec = {
  after: [],
  overlap: "forbid",
  startingDeadlineMs: 3_600_000,
  timeoutMs: 0,
  keptRuns: 3,
};

/** Of tasks that end once they have done their work. */
export const UNTIL_DONE = { condition: "on-failure", delayMs: 1_000, maxAttempts: 0, windowMs: 0 } as const;

export function template(
  changes: Partial<TaskTemplate> & { readonly image?: string; readonly volume?: string } = {},
): TaskTemplate {
  const { image = "web:v1", volume, ...rest } = changes;
  return {
    container: {
      image,
      pullPolicy: "missing",
      env: {},
      labels: {},
      mounts: volume === undefined ? [] : [{ kind: "volume", volume, target: "/data", readOnly: false }],
      stopGraceMs: 10_000,
      runtime: {},
    },
    resources: { limits: { cpus: 0, memoryBytes: 0, pids: 0 }, reservations: { cpus: 0, memoryBytes: 0, generic: {} } },
    placement: { constraints: [], spreadOver: [], maxPerNode: 0, platforms: [] },
    restart: { condition: "any", delayMs: 1_000, maxAttempts: 0, windowMs: 0 },
    health: {
      probe: { kind: "none" },
      intervalMs: 1_000,
      timeoutMs: 1_000,
      retries: 3,
      startPeriodMs: 0,
      startIntervalMs: 1_000,
    },
    ports: [],
    networks: [],
    settleMs: 1_000,
    onLeaseLost: "keep",
    ...rest,
  };
}

/** A state in which a coordinator has begun: it has a cluster, and nothing else. */
export function begunState(): MutableState {
  const state = emptyState();
  const record = { id: asId<"cluster">("cluster"), name: "test", createdAtMs: 0, addressPool: "10.210.0.0/16" };
  applyChange(state, { op: "put", kind: "cluster", record });
  return state;
}

/** Worlds of the test that runs now: its end looks whether each has come to rest. */
export const WORLDS: WorldModel[] = [];

export class WorldModel {
  readonly state: MutableState = begunState();
  readonly presence = new Map<NodeId, Presence>();
  /** When each lost node was last heard. */
  readonly heardMs = new Map<NodeId, number>();
  nowMs = 1_000_000;
  valveShut = false;
  routesGeneration = 0;
  readonly measured = new Map<NodeId, Measured>();
  readonly progress = new Map<NodeId, NodeProgress>();
  /** When the last plan wants to be made again without anything else happening. */
  wakeAtMs: number | undefined;
  /** Images whose containers exit at once. */
  readonly broken = new Set<string>();
  /** Images whose running containers no engine gives other limits. */
  readonly rigid = new Set<string>();
  /** Every sentence of every step so far. */
  readonly told: string[] = [];
  readonly #ids: IdSource;

  constructor(seed = "world") {
    this.#ids = idSourceFrom(seed);
    WORLDS.push(this);
  }

  world(): World {
    const { state, presence, measured, progress, valveShut, routesGeneration } = this;
    const { nowMs } = this;
    const heardMs = new Map(this.heardMs);
    const silentMs = (id: NodeId): number => nowMs - (heardMs.get(id) ?? nowMs);
    return { state, presence, silentMs, measured, progress, valveShut, routesGeneration };
  }

  node(name: string, labels: Record<string, string> = {}): NodeId {
    const id = asId<"node">(name);
    const number = this.state.node.size + 1;
    const record: Node = {
      id,
      index: 1,
      name,
      address: { host: `10.0.${number >> 8}.${(number + 10) & 255}`, port: 22 },
      hostKey: "",
      agentKey: "",
      jump: [],
      labels,
      availability: "active",
      subnet: `10.${210 + (number >> 8)}.${number & 255}.0/24`,
      reserved: { cpus: 0, memoryBytes: 0, generic: {} },
      joinedAtMs: 0,
    };
    const status: NodeStatus = {
      id,
      bootId: "boot",
      agentVersion: "1",
      engineVersion: "1",
      engineLabels: {},
      platform: { os: "linux", arch: "x86_64" },
      kernel: "6",
      resources: { cpus: 4, memoryBytes: 8_000_000_000, generic: {} },
      lostAtMs: [],
      listening: ["tcp/22"],
    };
    applyChanges(this.state, [
      { op: "put", kind: "node", record },
      { op: "put", kind: "nodeStatus", record: status },
    ]);
    this.presence.set(id, "ready");
    return id;
  }

  availability(id: NodeId, availability: Availability): void {
    const node = this.state.node.get(id);
    if (node !== undefined) this.state.node.set(id, { ...node, availability });
  }

  /** The node's lease ends, as the presence loop commits it. Its containers run on, unseen. */
  lose(id: NodeId): void {
    this.presence.set(id, "lost");
    this.heardMs.set(id, this.nowMs - LEASE_MS);
    const status = this.state.nodeStatus.get(id);
    if (status === undefined) return;
    const lostAtMs = [...status.lostAtMs, this.nowMs].slice(-5);
    this.state.nodeStatus.set(id, { ...status, unseenSinceMs: this.nowMs, lostAtMs });
  }

  /** The node answers again. */
  comeBack(id: NodeId): void {
    this.presence.set(id, "ready");
    this.heardMs.delete(id);
    const status = this.state.nodeStatus.get(id);
    if (status === undefined) return;
    const { unseenSinceMs: _since, ...rest } = status;
    this.state.nodeStatus.set(id, rest);
  }

  volume(name: string): void {
    this.state.volume.set(name, {
      id: asId(name),
      index: 1,
      createdAtMs: 0,
      name,
      driver: "local",
      driverOpts: {},
      labels: {},
      external: false,
    });
  }

  /** Creates or changes a service as a deploy does. */
  deploy(
    name: string,
    mode: ServiceMode,
    from: TaskTemplate,
    update: Partial<UpdatePolicy> = {},
    job: Partial<JobSpec> = {},
    dependsOn: readonly Dependency[] = [],
  ): void {
    const id = asId<"service">(name);
    const known = this.state.service.get(id);
    const versions = [...this.state.serviceVersion.values()].filter((version) => version.serviceId === id);
    const number = Math.max(0, ...versions.map((version) => version.version)) + 1;
    const spec: ServiceSpec = {
      name,
      labels: {},
      mode,
      template: from,
      update: { ...UPDATE, ...update },
      rollback: UPDATE,
      ...(isJobMode(mode) ? { job: { ...JOB, ...job } } : {}),
      ...(dependsOn.length === 0 ? {} : { dependsOn }),
    };
    const templateHash = JSON.stringify(from);
    const record: Service = {
      id,
      index: (known?.index ?? 0) + 1,
      name,
      createdAtMs: known?.createdAtMs ?? this.nowMs,
      updatedAtMs: this.nowMs,
      mode,
      version: number,
      force: known?.force ?? 0,
      isRollback: false,
      changeReason: `image ${from.container.image}`,
      ...(isJobMode(mode) ? { job: known?.job ?? { suspended: false, requested: 0 } } : {}),
      ...(known === undefined ? {} : { previousVersion: known.version }),
    };
    applyChanges(this.state, [
      { op: "put", kind: "service", record },
      {
        op: "put",
        kind: "serviceVersion",
        record: {
          id: versionKey(id, number),
          serviceId: id,
          version: number,
          spec,
          hash: templateHash,
          templateHash,
          createdAtMs: this.nowMs,
          stable: false,
        },
      },
    ]);
  }

  /** What a user asks of the rollout under way. */
  wish(name: string, wish: "pause" | "resume" | "promote"): void {
    const service = this.state.service.get(name);
    if (service === undefined) expect.fail(`there is no ${name}`);
    const { paused, promotions, resumes } = service.asked ?? { paused: false, promotions: 0, resumes: 0 };
    const asked = {
      pause: { paused: true, promotions, resumes },
      resume: { paused: false, promotions, resumes: resumes + 1 },
      promote: { paused, promotions: promotions + 1, resumes },
    }[wish];
    this.state.service.set(name, { ...service, asked });
  }

  /** Back to an earlier version, as a user asks for it. */
  goBack(name: string, to: number): void {
    const service = this.state.service.get(name);
    if (service === undefined) expect.fail(`there is no ${name}`);
    const { asked: _asked, version: previousVersion, ...rest } = service;
    const changeReason = `rolled back by request: version ${previousVersion} → ${to}`;
    this.state.service.set(name, { ...rest, version: to, previousVersion, isRollback: true, changeReason });
  }

  scale(name: string, replicas: number): void {
    const service = this.state.service.get(name);
    if (service !== undefined) this.state.service.set(name, { ...service, mode: { kind: "replicated", replicas } });
  }

  /** One plan, applied. `each` sees every step, and the world before it took effect. */
  plan(each: (step: Step) => void = () => undefined): readonly Step[] {
    const { steps, wakeAtMs } = plan(this.world(), this.nowMs, this.#ids, nextTick);
    for (const step of steps) {
      each(step);
      this.told.push(describeStep(step, this.state));
      applyChanges(this.state, changesOf(step, this.state));
    }
    this.wakeAtMs = wakeAtMs;
    return steps;
  }

  /** Plans until nothing is left to do now. */
  rest(each: (step: Step) => void = () => undefined): void {
    for (let pass = 0; pass < 30; pass++) if (this.plan(each).length === 0) return;
    expect.fail(`the plan does not come to rest: ${this.told.slice(-5).join(" | ")}`);
  }

  /** Every reachable agent does what its tasks ask for, at once; what has run for its settle time is found healthy. */
  agents(): void {
    for (const task of this.state.task.values()) {
      if (task.nodeId === undefined || this.presence.get(task.nodeId) !== "ready") continue;
      const status = this.state.taskStatus.get(task.id);
      if (task.desired === "remove") {
        applyChanges(this.state, forgetTask(this.state, task.id));
      } else if (task.desired === "shutdown") this.#shutDown(task);
      else if (status === undefined || isRetried(status, this.broken.has(this.#imageOf(task)))) {
        if (this.broken.has(this.#imageOf(task)))
          this.status(task.id, { state: "failed", reason: "exit code 1", exitCode: 1 });
        else {
          const attempt = (status?.attempt ?? 0) + 1;
          const limitsOf = task.specVersion;
          this.status(task.id, { state: "running", startedAtMs: this.nowMs, attempt, reason: "", limitsOf });
        }
      } else if (status.state === "running" && (status.limitsOf ?? task.specVersion) !== task.specVersion) {
        const changes = this.rigid.has(this.#imageOf(task))
          ? { unresizedTo: task.specVersion, reason: "its limits could not be changed in place" }
          : { limitsOf: task.specVersion };
        this.state.taskStatus.set(task.id, { ...status, ...changes });
      } else if (status.state === "running" && status.healthy === undefined) {
        const settleMs = this.state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template
          .settleMs;
        if (this.nowMs - status.stateAtMs >= (settleMs ?? 0))
          this.state.taskStatus.set(task.id, { ...status, healthy: true });
      }
    }
  }

  #shutDown(task: Task): void {
    const status = this.state.taskStatus.get(task.id);
    if (status?.state === "failed" || status?.state === "rejected" || status?.state === "complete") {
      if (!status.exhausted) this.status(task.id, { exhausted: true });
    } else if (status?.state !== "shutdown") this.status(task.id, { state: "shutdown" });
  }

  status(id: TaskId, changes: Partial<TaskStatus>): void {
    const known = this.state.taskStatus.get(id) ?? {
      id,
      state: "assigned",
      attempt: 1,
      reason: "",
      exhausted: false,
      stateAtMs: this.nowMs,
    };
    this.state.taskStatus.set(id, { ...known, stateAtMs: this.nowMs, ...changes });
  }

  /** Time goes by in steps of half a second: agents work, the planner plans. */
  run(forMs: number, each: () => void = () => undefined): void {
    for (let passed = 0; passed < forMs; passed += 500) {
      this.rest();
      each();
      this.agents();
      each();
      this.nowMs += 500;
    }
    this.rest();
  }

  tasks(name: string): Task[] {
    return [...this.state.task.values()].filter((task) => task.serviceId === asId(name));
  }

  live(name: string): Task[] {
    return this.tasks(name).filter((task) => task.desired === "running" && task.withdrawal === undefined);
  }

  /** Tasks that run on reachable nodes now. */
  running(name: string): Task[] {
    return this.tasks(name).filter(
      (task) =>
        this.state.taskStatus.get(task.id)?.state === "running" &&
        task.nodeId !== undefined &&
        this.presence.get(task.nodeId) !== "lost",
    );
  }

  #imageOf(task: Task): string {
    return (
      this.state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.template.container.image ?? ""
    );
  }
}

function isRetried(status: TaskStatus, isBroken: boolean): boolean {
  return status.state === "failed" && !status.exhausted && !isBroken;
}
