// What a plan is made of: steps that are plain data, say what they are for, and turn into changes without any further choice. Pure.

import { assertNever } from "../model/invariant.ts";
import type { NodeId, TaskId, VolumeId } from "../model/ids.ts";
import type { JobRun, JobState } from "../model/job.ts";
import type { Change, EventDraft, HeldIds, HostPort, Move, RecordKind, Service, Task } from "../model/records.ts";
import type { Rollout } from "../model/rollout.ts";
import { type State, versionKey } from "../model/world.ts";
import { outcomesOf } from "../rollout/outcomes.ts";

export type Step =
  /** A new task, placed or waiting. */
  | { readonly kind: "create"; readonly task: Task; readonly why: string }
  /** A waiting task gets its node. */
  | {
      readonly kind: "place";
      readonly taskId: TaskId;
      readonly nodeId: NodeId;
      readonly address: string;
      readonly hostPorts: readonly HostPort[];
      readonly generic?: HeldIds;
      readonly atMs: number;
    }
  /** A running task goes over to another version in its container: only limits and reservations differ. */
  | {
      readonly kind: "resize";
      readonly taskId: TaskId;
      readonly version: number;
      readonly resize: NonNullable<Task["resize"]>;
    }
  /** Why a task does not run, or (reason "") that nothing is in the way any more. */
  | { readonly kind: "wait"; readonly taskId: TaskId; readonly reason: string }
  /** A pinned volume's data is on this node from now on. */
  | { readonly kind: "pin"; readonly volumeId: VolumeId; readonly nodeId: NodeId }
  /** First phase of a stop by choice: out of all routes. */
  | {
      readonly kind: "withdraw";
      readonly taskId: TaskId;
      readonly routesGeneration: number;
      readonly atMs: number;
      readonly why: string;
    }
  /** Second phase: the agent stops it. */
  | {
      readonly kind: "stop";
      readonly taskId: TaskId;
      readonly atMs: number;
      readonly why: string;
      /** Of tasks with a lease of their own: the generation of work that says so first. */
      readonly endsFrom?: number;
    }
  /** An ended task leaves the history: its agent removes the container, then its record goes; at once where there is no agent to ask. */
  | { readonly kind: "forget"; readonly taskId: TaskId; readonly now: boolean }
  | { readonly kind: "rollout"; readonly rollout: Rollout; readonly atMs: number; readonly why: string }
  /** More slots of a rollout are done. */
  | { readonly kind: "progress"; readonly rollout: Rollout }
  /** What endpoints weigh from now on, 0–100. */
  | { readonly kind: "weigh"; readonly taskIds: readonly TaskId[]; readonly weight: number }
  /** A failed change goes back to an earlier version. */
  | {
      readonly kind: "rollback";
      readonly service: Service;
      readonly toVersion: number;
      readonly atMs: number;
      readonly why: string;
    }
  | { readonly kind: "stable"; readonly service: Service; readonly version: number }
  /** Moves of a rebalance that are still to come. */
  | { readonly kind: "moved"; readonly service: Service; readonly moves: readonly Move[]; readonly why: string }
  /** A removed service's last records. */
  | {
      readonly kind: "clear";
      readonly serviceId: string;
      readonly versions: readonly string[];
      readonly runs: readonly string[];
    }
  /** What the plan has answered of a job. */
  | { readonly kind: "job"; readonly job: JobState }
  /** A run begins or ends. */
  | { readonly kind: "run"; readonly run: JobRun; readonly why: string }
  | { readonly kind: "forgetRun"; readonly run: JobRun }
  /** Tasks that are over give their addresses back, and addresses that others left are noted: from this generation on no routes have them. */
  | {
      readonly kind: "release";
      readonly taskIds: readonly TaskId[];
      readonly noted: readonly string[];
      readonly generation: number;
    }
  /** Addresses that every node has left behind. */
  | { readonly kind: "free"; readonly addresses: readonly string[] }
  /** Contents that no kept version mounts. */
  | { readonly kind: "dropConfigs"; readonly ids: readonly string[] };

/** The records that a step writes. */
export function changesOf(step: Step, state: State): readonly Change[] {
  switch (step.kind) {
    case "create":
      return [{ op: "put", kind: "task", record: step.task }];
    case "place":
    case "wait":
    case "withdraw":
    case "stop":
    case "resize":
      return editTask(state, step.taskId, editOf(step));
    case "pin": {
      const pin = state.volumePin.get(step.volumeId) ?? { id: step.volumeId, nodeIds: [] };
      return [{ op: "put", kind: "volumePin", record: { ...pin, nodeIds: [...pin.nodeIds, step.nodeId] } }];
    }
    case "forget":
      return forget(step.taskId, step.now, state);
    case "rollout":
      return [{ op: "put", kind: "rollout", record: step.rollout }, ...outcomesOf(step.rollout, step.atMs, state)];
    case "progress":
      return [{ op: "put", kind: "rollout", record: step.rollout }];
    case "weigh":
      return step.taskIds.flatMap((id) => editTask(state, id, (task) => ({ ...task, weight: step.weight })));
    case "rollback":
      return [{ op: "put", kind: "service", record: rolledBack(step) }];
    case "stable": {
      const version = state.serviceVersion.get(versionKey(step.service.id, step.version));
      return version === undefined ? [] : [{ op: "put", kind: "serviceVersion", record: { ...version, stable: true } }];
    }
    case "moved": {
      const { moves: _, index, ...service } = step.service;
      const moves = step.moves.length === 0 ? {} : { moves: step.moves };
      return [{ op: "put", kind: "service", record: { ...service, ...moves, index: index + 1 } }];
    }
    case "clear":
      return [
        ...deleteAll("rollout", [step.serviceId]),
        ...deleteAll("serviceVersion", step.versions),
        ...deleteAll("job", [step.serviceId]),
        ...deleteAll("run", step.runs),
      ];
    case "job":
      return [{ op: "put", kind: "job", record: step.job }];
    case "run":
      return [{ op: "put", kind: "run", record: step.run }];
    case "forgetRun":
      return [{ op: "delete", kind: "run", id: step.run.id }];
    case "release":
      return releaseAll(step, state);
    case "free":
      return deleteAll("freedAddress", step.addresses);
    case "dropConfigs":
      return deleteAll("configFile", step.ids);
    default:
      return assertNever(step);
  }
}

type Edit = Extract<Step, { kind: "place" | "wait" | "withdraw" | "stop" | "resize" }>;

/** What users asked of the change that failed is not meant for the way back. */
function rolledBack({ service, toVersion, atMs, why }: Extract<Step, { kind: "rollback" }>): Service {
  const { asked: _asked, ...rest } = service;
  return {
    ...rest,
    index: service.index + 1,
    version: toVersion,
    previousVersion: service.version,
    isRollback: true,
    changeReason: why,
    updatedAtMs: atMs,
  };
}

function deleteAll(kind: RecordKind, ids: readonly string[]): readonly Change[] {
  return ids.map((id): Change => ({ op: "delete", kind, id }));
}

/** What a step changes in one task. */
function editOf(step: Edit): (task: Task) => Task {
  switch (step.kind) {
    case "place": {
      const { nodeId, address, hostPorts, generic, atMs } = step;
      const held = generic === undefined ? {} : { generic };
      return ({ waiting: _waiting, ...task }) => ({ ...task, nodeId, address, hostPorts, ...held, assignedAtMs: atMs });
    }
    case "wait":
      return ({ waiting: _waiting, ...task }) => (step.reason === "" ? task : { ...task, waiting: step.reason });
    case "resize":
      return (task) => ({ ...task, specVersion: step.version, resize: step.resize });
    case "withdraw": {
      const withdrawal = { startedAtMs: step.atMs, routesGeneration: step.routesGeneration };
      return (task) => ({ ...task, desiredReason: step.why, withdrawal });
    }
    case "stop":
      return ({ waiting: _waiting, ...task }) => ({
        ...task,
        desired: "shutdown",
        desiredReason: step.why,
        endedAtMs: step.atMs,
        ...(step.endsFrom === undefined ? {} : { endsFrom: step.endsFrom }),
      });
  }
}

function forget(taskId: TaskId, now: boolean, state: State): readonly Change[] {
  if (!now) return editTask(state, taskId, (task) => ({ ...task, desired: "remove" }));
  return forgetTask(state, taskId);
}

/** The changes that leave nothing of a task but, until it is noted, its address. */
export function forgetTask(state: State, taskId: TaskId): readonly Change[] {
  const task = state.task.get(taskId);
  const left = task?.released === true ? undefined : task?.address;
  return [
    { op: "delete", kind: "task", id: taskId },
    { op: "delete", kind: "taskStatus", id: taskId },
    ...(left === undefined ? [] : [freed(left)]),
  ];
}

function freed(address: string, generation?: number): Change {
  const record = { id: address, ...(generation === undefined ? {} : { generation }) };
  return { op: "put", kind: "freedAddress", record };
}

function release(taskId: TaskId, generation: number, state: State): readonly Change[] {
  const address = state.task.get(taskId)?.address;
  if (address === undefined) return [];
  return [...editTask(state, taskId, (task) => ({ ...task, released: true })), freed(address, generation)];
}

function releaseAll(
  { taskIds, noted, generation }: Extract<Step, { kind: "release" }>,
  state: State,
): readonly Change[] {
  return [
    ...taskIds.flatMap((id) => release(id, generation, state)),
    ...noted.map((address) => freed(address, generation)),
  ];
}

function editTask(state: State, taskId: TaskId, edit: (task: Task) => Task): readonly Change[] {
  const task = state.task.get(taskId);
  return task === undefined ? [] : [{ op: "put", kind: "task", record: edit(task) }];
}

/** A task's name for people: "shop_web.2", "shop_api.n1". */
export function taskName(task: Task, state: State): string {
  const service =
    state.service.get(task.serviceId)?.name ??
    state.serviceVersion.get(versionKey(task.serviceId, task.specVersion))?.spec.name ??
    task.serviceId;
  const nodeId = task.onlyNode ?? task.nodeId;
  const node = nodeId === undefined ? undefined : state.node.get(nodeId);
  const run = task.run === undefined ? "" : `.run-${task.run}`;
  return `${service}${run}.${task.slot === 0 ? (node?.name ?? nodeId ?? "?") : task.slot}`;
}

/** A sentence of what a step does and why. */
export function describeStep(step: Step, state: State): string {
  switch (step.kind) {
    case "create": {
      const { task } = step;
      const where =
        task.nodeId === undefined ? `waits: ${task.waiting ?? "no node yet"}` : `on ${nodeName(state, task.nodeId)}`;
      return `create ${taskName(task, state)} (version ${task.specVersion}) ${where}: ${step.why}`;
    }
    case "place":
      return `place ${nameOf(step.taskId, state)} on ${nodeName(state, step.nodeId)}`;
    case "wait":
      return step.reason === ""
        ? `${nameOf(step.taskId, state)} need not wait any more`
        : `${nameOf(step.taskId, state)} waits: ${step.reason}`;
    case "resize":
      return `change the limits of ${nameOf(step.taskId, state)} in place, to those of version ${step.version}`;
    case "pin":
      return `volume ${state.volume.get(step.volumeId)?.name ?? step.volumeId} has its data on ${nodeName(state, step.nodeId)} from now on`;
    case "withdraw":
      return `withdraw ${nameOf(step.taskId, state)} from all routes: ${step.why}`;
    case "stop":
      return `stop ${nameOf(step.taskId, state)}: ${step.why}`;
    case "forget":
      return `forget ended task ${nameOf(step.taskId, state)}`;
    case "rollout":
      return `rollout of ${state.service.get(step.rollout.id)?.name ?? step.rollout.id}: ${step.rollout.state}: ${step.why}`;
    case "progress": {
      const { done = 0, of = 0 } = step.rollout.progress ?? {};
      return `rollout of ${state.service.get(step.rollout.id)?.name ?? step.rollout.id}: ${done} of ${of} slots are done`;
    }
    case "weigh":
      return `weight of ${step.taskIds.map((id) => nameOf(id, state)).join(", ")}: ${step.weight} from now on`;
    case "rollback":
      return `roll ${step.service.name} back to version ${step.toVersion}: ${step.why}`;
    case "stable":
      return `version ${step.version} of ${step.service.name} is stable`;
    case "moved":
      return `${step.service.name} has ${step.moves.length === 1 ? "1 task" : `${step.moves.length} tasks`} left to move: ${step.why}`;
    case "clear":
      return `clear the records of removed service ${step.serviceId}`;
    case "job":
      return `the job ${state.service.get(step.job.id)?.name ?? step.job.id} is looked after`;
    case "run":
      return `run ${step.run.number} of ${state.service.get(step.run.serviceId)?.name ?? step.run.serviceId}: ${step.run.state}${step.why === "" ? "" : `: ${step.why}`}`;
    case "forgetRun":
      return `forget run ${step.run.number} of ${state.service.get(step.run.serviceId)?.name ?? step.run.serviceId}`;
    case "release":
      return `${count(step.taskIds.length + step.noted.length, "address")} left by routes ${step.generation}`;
    case "free":
      return `${count(step.addresses.length, "address")} may be given again: every node has left it behind`;
    case "dropConfigs":
      return `drop ${step.ids.length === 1 ? "a config" : `${step.ids.length} configs`} that no kept version mounts`;
    default:
      return assertNever(step);
  }
}

function count(number: number, noun: string): string {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}es`;
}

function nameOf(taskId: TaskId, state: State): string {
  const task = state.task.get(taskId);
  return task === undefined ? taskId : taskName(task, state);
}

function nodeName(state: State, id: NodeId): string {
  return state.node.get(id)?.name ?? id;
}

/** The event that a step is worth to users; small steps are in the log only. */
export function eventOf(step: Step, state: State): EventDraft | undefined {
  switch (step.kind) {
    case "create":
    case "place":
    case "stop":
    case "resize":
    case "wait": {
      const task = step.kind === "create" ? step.task : state.task.get(step.taskId);
      if (task === undefined) return undefined;
      const type = {
        create: "task.created",
        place: "task.assigned",
        stop: "task.stopping",
        resize: "task.resized",
        wait: "task.waiting",
      }[step.kind];
      return {
        type,
        subject: { kind: "task", id: task.id, name: taskName(task, state) },
        message: describeStep(step, state),
      };
    }
    case "rollout":
    case "rollback": {
      const service = state.service.get(step.kind === "rollout" ? step.rollout.id : step.service.id);
      if (service === undefined) return undefined;
      const type = step.kind === "rollout" ? `rollout.${step.rollout.state}` : "service.rolled_back";
      return {
        type,
        subject: { kind: "service", id: service.id, name: service.name },
        message: describeStep(step, state),
      };
    }
    case "run": {
      const name = state.service.get(step.run.serviceId)?.name ?? step.run.serviceId;
      return {
        type: step.run.state === "running" ? "run.started" : `run.${step.run.state}`,
        subject: { kind: "service", id: step.run.serviceId, name },
        message: describeStep(step, state),
        data: { run: step.run.number },
      };
    }
    case "job":
    case "forgetRun":
    case "progress":
    case "weigh":
    case "pin":
    case "withdraw":
    case "forget":
    case "stable":
    case "moved":
    case "clear":
    case "release":
    case "free":
    case "dropConfigs":
      return undefined;
    default:
      return assertNever(step);
  }
}
