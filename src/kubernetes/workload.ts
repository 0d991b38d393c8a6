// A service to what runs its pods: a Deployment, a StatefulSet where they hold pinned data, a DaemonSet, a Job. The update policy becomes
// its strategy; what Kubernetes does otherwise is noted. Pure.

import type { ServiceSpec } from "../core/model/service-spec.ts";
import { claimTemplate } from "./claims.ts";
import { annotationsOf, type ServiceContext, type StackContext } from "./context.ts";
import { type Fields, type Manifest, seconds, some } from "./manifest.ts";
import type { PodMounts } from "./mounts.ts";
import { type PodInput, podTemplateOf } from "./pod.ts";
import { scheduleOf } from "./schedules.ts";
import { noteUpdate } from "./update-notes.ts";

export type WorkloadInput = Omit<PodInput, "restartPolicy" | "isStateful">;

const MAX_BACKOFF = 2_147_483_647;
const DEFAULT_DEADLINE_S = 600;

export function workloadOf(stack: StackContext, context: ServiceContext, input: WorkloadInput): Manifest {
  const { mode } = context.spec;
  const { mounts } = input;
  noteUpdate(context, mounts.isPinned);
  switch (mode.kind) {
    case "replicated": {
      const template = podTemplateOf(context, { ...input, restartPolicy: "Always", isStateful: mounts.isPinned });
      return mounts.isPinned
        ? statefulSet(stack, context, mounts, mode.replicas, template)
        : deployment(context, mode.replicas, template);
    }
    case "global":
      return daemonSet(context, podTemplateOf(context, { ...input, restartPolicy: "Always", isStateful: false }));
    case "replicated-job":
      return job(context, input, mode.completions, mode.concurrency);
    case "global-job":
      context.note(
        "deploy.mode",
        "Kubernetes has no job that runs once on every node: this one runs once",
        "use a DaemonSet whose initContainer does the work",
      );
      return job(context, input, 1, 1);
  }
}

function manifest(context: ServiceContext, apiVersion: string, kind: string, spec: Fields): Manifest {
  const annotations = annotationsOf(context.spec.labels, "deploy.labels", context.note);
  const { name, labels } = context;
  return { apiVersion, kind, metadata: { name, labels, ...(annotations === undefined ? {} : { annotations }) }, spec };
}

function deployment(context: ServiceContext, replicas: number, template: Fields): Manifest {
  const minReadySeconds = minReadyOf(context.spec);
  return manifest(context, "apps/v1", "Deployment", {
    replicas,
    selector: { matchLabels: context.selector },
    strategy: strategyOf(context.spec, replicas),
    minReadySeconds,
    // it must be later than a pod can be ready
    progressDeadlineSeconds: deadlineOf(context.spec, minReadySeconds ?? 0),
    template,
  });
}

function deadlineOf({ update }: ServiceSpec, minReadySeconds: number): number | undefined {
  const asked = update.progressDeadlineMs === undefined ? DEFAULT_DEADLINE_S : seconds(update.progressDeadlineMs);
  if (asked <= minReadySeconds) return minReadySeconds + asked;
  return asked === DEFAULT_DEADLINE_S ? undefined : asked;
}

/** How many pods change at once: a percentage is one there too. */
function shareOf({ parallelism, parallelismPercent }: ServiceSpec["update"]): string | number {
  if (parallelismPercent !== undefined) return `${parallelismPercent}%`;
  return parallelism === 0 ? "100%" : parallelism;
}

/** Recreate waits until the old pods are gone, which a rolling update that takes them away first does not. */
function strategyOf({ update, template }: ServiceSpec, replicas: number): Fields {
  const share = shareOf(update);
  const all = typeof share === "string" ? share === "100%" : share >= Math.max(1, replicas);
  if (update.order === "start-first" && !takesHostPorts(template))
    return { type: "RollingUpdate", rollingUpdate: { maxSurge: share, maxUnavailable: 0 } };
  if (all) return { type: "Recreate" };
  return { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: share } };
}

export function takesHostPorts({ ports, container }: ServiceSpec["template"]): boolean {
  return container.networkMode === "host" || ports.some(({ mode }) => mode === "host");
}

/** The wait between batches; without a health check, how long a task must run to count. */
function minReadyOf({ template, update }: ServiceSpec): number | undefined {
  const hasCheck = template.health.probe.kind !== "image" && template.health.probe.kind !== "none";
  const wait = Math.max(seconds(update.delayMs), hasCheck ? 0 : seconds(template.settleMs));
  return wait === 0 ? undefined : wait;
}

function statefulSet(
  stack: StackContext,
  context: ServiceContext,
  mounts: PodMounts,
  replicas: number,
  template: Fields,
): Manifest {
  return manifest(context, "apps/v1", "StatefulSet", {
    serviceName: context.name,
    replicas,
    selector: { matchLabels: context.selector },
    minReadySeconds: minReadyOf(context.spec),
    template,
    volumeClaimTemplates: some(mounts.templates.map(({ volume, name }) => claimTemplate(stack, volume, name))),
  });
}

function daemonSet(context: ServiceContext, template: Fields): Manifest {
  const { update } = context.spec;
  const share = shareOf(update);
  const isSurge = update.order === "start-first" && !takesHostPorts(context.spec.template);
  return manifest(context, "apps/v1", "DaemonSet", {
    selector: { matchLabels: context.selector },
    updateStrategy: {
      type: "RollingUpdate",
      rollingUpdate: isSurge ? { maxSurge: share, maxUnavailable: 0 } : { maxSurge: 0, maxUnavailable: share },
    },
    minReadySeconds: minReadyOf(context.spec),
    template,
  });
}

function job(context: ServiceContext, input: WorkloadInput, completions: number, parallelism: number): Manifest {
  const { condition, maxAttempts } = context.spec.template.restart;
  const restartPolicy = condition === "none" ? "Never" : "OnFailure";
  if (condition === "any")
    context.note(
      "deploy.restart_policy",
      "a Job that succeeds is done: it is not run again",
      "use condition: on-failure",
    );
  const { job: asked } = context.spec;
  const once = {
    completions,
    parallelism,
    backoffLimit: condition === "none" ? 0 : maxAttempts === 0 ? MAX_BACKOFF : maxAttempts,
    activeDeadlineSeconds: asked === undefined || asked.timeoutMs <= 0 ? undefined : seconds(asked.timeoutMs),
    template: podTemplateOf(context, { ...input, restartPolicy, isStateful: false }),
  };
  const schedule = scheduleOf(context);
  return schedule === undefined
    ? manifest(context, "batch/v1", "Job", once)
    : manifest(context, "batch/v1", "CronJob", { ...schedule, jobTemplate: { spec: once } });
}
