// Commands on one service: scale, update, roll back, remove. Each raises the service's index once, or changes nothing at all. Pure.

import { DavitError } from "../model/errors.ts";
import type { Service } from "../model/records.ts";
import { isJobMode, type ServiceSpec } from "../model/service-spec.ts";
import { specHashes } from "../model/spec-hash.ts";
import type { ServicePatch } from "../model/views.ts";
import { awake, wantedReplicas } from "../model/scale.ts";
import type { State } from "../model/world.ts";
import { restartedWith } from "./check-dependencies.ts";
import { certainPortConflict, checkReplicas, checkService } from "./check-spec.ts";
import { type Command, type CommandContext, type CommandOutcome, unchanged } from "./command.ts";
import { describeMode, describeSpecChange, joinDifferences } from "./describe-change.ts";
import { checkIndex, Draft, type Unindexed } from "./draft.ts";
import { resolveService } from "./resolve.ts";
import { giveBack } from "./service-address.ts";
import { addVersion, currentVersion, specOf, versionsOf } from "./versions.ts";

/** How the reason of a rollback begins that a user asked for; one that a failure caused begins otherwise. */
const ASKED = "rolled back by request: ";

/** Whether the service's last change is a rollback that a user asked for. */
export function wasAskedToRollBack(service: Service): boolean {
  return service.isRollback && service.changeReason.startsWith(ASKED);
}

/** `ifMatch`: the index that the caller saw, if it cares. */
export type ServiceRef = { readonly ref: string; readonly ifMatch?: number | undefined };

/** Sets the number of replicas. Throws `conflict` for a service that is not replicated. */
export function scaleService(input: ServiceRef & { readonly replicas: number }): Command<Service> {
  return (state, { nowMs }) => {
    const service = find(state, "scale", input);
    checkReplicas(`scale ${service.name}`, input.replicas);
    if (isJobMode(service.mode)) {
      throw new DavitError(
        "conflict",
        `scale ${service.name}: it is a job, and its specification says how many completions it has`,
        {
          wayOut: "change deploy.replicas in the Compose file, and deploy it",
        },
      );
    }
    if (service.mode.kind !== "replicated") {
      throw new DavitError(
        "conflict",
        `scale ${service.name}: it is ${service.mode.kind}, so its nodes decide how many tasks it has`,
        {
          wayOut: "label nodes and use a placement constraint, or deploy it as replicated",
        },
      );
    }
    if (service.mode.replicas === input.replicas && service.asleep === undefined) return unchanged(service);
    const change = `replicas ${wantedReplicas(service)} → ${input.replicas}`;
    const draft = new Draft();
    const next = draft.replace("service", service, {
      ...awake(service),
      mode: { kind: "replicated", replicas: input.replicas },
      updatedAtMs: nowMs,
    });
    draft.event(serviceEvent("service.scaled", next, change));
    return draft.finish(next);
  };
}

/** Changes parts of the specification; without a difference, and without `force`, nothing happens. */
export function updateService(input: ServiceRef & { readonly patch: ServicePatch }): Command<Service> {
  return (state, context) => {
    const service = find(state, "update", input);
    const { patch } = input;
    const before = currentVersion(state, service);
    const spec = patched(specOf(state, service), patch);
    checkService(`update ${service.name}`, spec, context);
    const mode = describeMode(service.mode, spec.mode);
    const isNew = specHashes(spec, context.hash).hash !== before.hash;
    const differing = [
      ...(isNew ? describeSpecChange(before.spec, spec) : []),
      ...(mode === undefined ? [] : [mode]),
      ...(patch.force === true ? ["all tasks replaced by force"] : []),
    ];
    if (differing.length === 0) return unchanged(service);
    const draft = new Draft();
    const next = applySpec(
      state,
      draft,
      service,
      spec,
      { isNew, force: patch.force === true, reason: joinDifferences(differing) },
      context,
    );
    draft.event(serviceEvent("service.updated", next, joinDifferences(differing)));
    const { templateHash } = specHashes(spec, context.hash);
    if (patch.force === true || templateHash !== before.templateHash) restartDependents(state, draft, next, context);
    return draft.finish(next);
  };
}

/** Replaces every task by a new one of the same version, within the update policy. Throws `conflict` for a job. */
export function restartService(input: ServiceRef): Command<Service> {
  return (state, context) => {
    const { nowMs } = context;
    const service = find(state, "restart", input);
    if (isJobMode(service.mode))
      throw new DavitError("conflict", `restart ${service.name}: it is a job, and its tasks end by themselves`, {
        wayOut: `run it once more: davit job run ${service.name}`,
      });
    const draft = new Draft();
    const next = draft.replace("service", service, {
      ...withoutWishes(service),
      force: service.force + 1,
      isRollback: false,
      changeReason: "restarted by request",
      updatedAtMs: nowMs,
    });
    draft.event(serviceEvent("service.restarted", next, "its tasks are replaced within the update policy"));
    restartDependents(state, draft, next, context);
    return draft.finish(next);
  };
}

/** Goes back to an earlier version, by default the previous one. The number of replicas stays as it is. */
export function rollbackService(input: ServiceRef & { readonly to?: number | undefined }): Command<Service> {
  return (state, context) => {
    const service = find(state, "roll back", input);
    const kept = versionsOf(state, service.id).map((version) => version.version);
    const to = input.to ?? service.previousVersion;
    if (to === undefined) {
      throw new DavitError("conflict", `roll back ${service.name}: there is no version before ${service.version}`, {
        wayOut: "deploy what it should run",
      });
    }
    if (!kept.includes(to)) {
      throw new DavitError("not_found", `roll back ${service.name}: version ${to} is not kept`, {
        wayOut: `kept are ${kept.join(", ")}`,
      });
    }
    if (to === service.version) {
      throw new DavitError("conflict", `roll back ${service.name}: it is at version ${to} already`, {
        wayOut: `kept are ${kept.join(", ")}: choose one with --to`,
      });
    }
    return goBack(state, service, to, "", context);
  };
}

/** A service that goes back to an earlier version because a user wants it. */
export function goBack(
  state: State,
  service: Service,
  to: number,
  why: string,
  context: CommandContext,
): CommandOutcome<Service> {
  const change = `version ${service.version} → ${to}${why}`;
  const draft = new Draft();
  const next = draft.replace("service", service, {
    ...withoutWishes(service),
    version: to,
    previousVersion: service.version,
    isRollback: true,
    changeReason: `${ASKED}${change}`,
    updatedAtMs: context.nowMs,
  });
  draft.event(serviceEvent("service.rolled_back", next, change));
  restartDependents(state, draft, next, context);
  return draft.finish(next);
}

function withoutWishes({ asked: _asked, ...rest }: Service): Service {
  return awake(rest);
}

/** Removes a service; its tasks end in order after it. */
export function removeService(input: ServiceRef): Command<Service> {
  return (state) => {
    const service = find(state, "remove", input);
    const draft = new Draft();
    draft.remove("service", service);
    giveBack(draft, service);
    draft.event(serviceEvent("service.removed", service, "its tasks stop"));
    return draft.finish(service);
  };
}

function find(state: State, verb: string, { ref, ifMatch }: ServiceRef): Service {
  const service = resolveService(state, ref);
  checkIndex(`${service.name} (${verb})`, service, ifMatch);
  return service;
}

/** Those that say `depends_on … restart: true` of a service get new tasks with it. */
function restartDependents(state: State, draft: Draft, changed: Service, { nowMs }: { readonly nowMs: number }): void {
  if (changed.stack === undefined || isJobMode(changed.mode)) return;
  const others = [...state.service.values()].filter(({ stack, id }) => stack === changed.stack && id !== changed.id);
  const names = restartedWith(
    others.map((service) => specOf(state, service)),
    new Set([changed.name]),
  );
  for (const service of others.filter(({ name, mode }) => names.has(name) && !isJobMode(mode))) {
    const changeReason = `made anew with ${changed.name}`;
    const { force } = service;
    const change = { ...withoutWishes(service), force: force + 1, isRollback: false, changeReason, updatedAtMs: nowMs };
    draft.event(serviceEvent("service.restarted", draft.replace("service", service, change), changeReason));
  }
}

/** The service with a specification: a new version when its meaning changed, else only the mode or the force. */
export function applySpec(
  state: State,
  draft: Draft,
  service: Service,
  spec: ServiceSpec,
  change: { readonly isNew: boolean; readonly force: boolean; readonly reason: string },
  context: Parameters<Command<Service>>[1],
): Service {
  const begins = change.isNew || change.force ? { isRollback: false, changeReason: change.reason } : {};
  // what was asked of the change before is not meant for this one
  const next: Unindexed<"service"> = {
    ...(change.isNew || change.force ? withoutWishes(service) : awake(service)),
    mode: spec.mode,
    updatedAtMs: context.nowMs,
  };
  const force = change.force ? { force: service.force + 1 } : {};
  const version = change.isNew
    ? {
        version: addVersion(state, draft, service, spec, change.reason, context).version,
        previousVersion: service.version,
      }
    : {};
  return draft.replace("service", service, { ...next, ...begins, ...force, ...version });
}

/** An event about a service: "service shop_web updated: image web:v1 → web:v2". */
export function serviceEvent(
  type: string,
  service: { readonly id: string; readonly name: string },
  what: string,
): {
  readonly type: string;
  readonly subject: { readonly kind: "service"; readonly id: string; readonly name: string };
  readonly message: string;
} {
  const verb = type.slice(type.indexOf(".") + 1).replaceAll("_", " ");
  return {
    type,
    subject: { kind: "service", id: service.id, name: service.name },
    message: `service ${service.name} ${verb}${what === "" ? "" : `: ${what}`}`,
  };
}

/** Throws `conflict` when a service could never run beside one of the others because that one is on every node. */
export function checkPorts(spec: ServiceSpec, others: readonly ServiceSpec[]): void {
  for (const other of others) {
    const conflict = certainPortConflict(spec, other);
    if (conflict !== undefined)
      throw new DavitError("conflict", `publish ports of ${spec.name}: ${conflict}`, {
        wayOut: "publish another port, or a range",
      });
  }
}

function patched(spec: ServiceSpec, patch: ServicePatch): ServiceSpec {
  const { container } = spec.template;
  if (patch.replicas !== undefined && spec.mode.kind !== "replicated") {
    throw new DavitError("conflict", `update ${spec.name}: it is ${spec.mode.kind}, so it has no number of replicas`);
  }
  const changed = {
    ...container,
    ...(patch.image === undefined ? {} : { image: patch.image }),
    ...(patch.command === undefined ? {} : { command: patch.command }),
    env: merged(container.env, patch.env),
  };
  return {
    ...spec,
    ...(patch.replicas === undefined ? {} : { mode: { kind: "replicated", replicas: patch.replicas } }),
    labels: merged(spec.labels, patch.labels),
    template: { ...spec.template, container: changed },
    update: { ...spec.update, ...patch.update },
    rollback: { ...spec.rollback, ...patch.rollback },
  };
}

/** A map with entries put and, where the value is null, removed. */
export function merged(
  base: Readonly<Record<string, string>>,
  patch: Readonly<Record<string, string | null>> | undefined,
): Readonly<Record<string, string>> {
  const next: Record<string, string> = { ...base };
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null) delete next[key];
    else next[key] = value;
  }
  return next;
}
