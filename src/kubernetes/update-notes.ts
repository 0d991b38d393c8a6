// What of a service's updates, rollbacks and restarts Kubernetes does in a way of its own. Pure.

import { DEFAULT_OWN_LEASE_MS } from "../core/model/lease.ts";
import type { ServiceSpec } from "../core/model/service-spec.ts";
import type { UpdatePolicy } from "../core/model/update-policy.ts";
import type { ServiceContext } from "./context.ts";
import { told } from "./manifest.ts";

/** What a service has that says nothing: not worth a note. */
const USUAL_MONITOR_MS = 5_000;
const USUAL_DELAY_MS = 1_000;
const UNDO = "watch it with kubectl rollout status, and go back with kubectl rollout undo";

/** `isPinned`: its only pod writes data that no second one may have at once. */
export function noteUpdate(context: ServiceContext, isPinned: boolean): void {
  const { spec, note } = context;
  const isJob = spec.mode.kind.endsWith("-job");
  noteFailures(context, "deploy.update_config", spec.update);
  noteStrategy(context);
  noteRollback(context);
  noteRestart(context, isJob);
  if (spec.template.onLeaseLost === "stop")
    note(
      "x-davit.on_lease_lost",
      `pods of a node that is cut off run on, and not for ${spanOf(spec.template.leaseMs)} only`,
      "fence the node",
    );
  if (spec.replaceAfterMs !== undefined)
    note(
      "x-davit.replace_after",
      `pods of a lost node are replaced after five minutes, not after ${spanOf(spec.replaceAfterMs)}`,
      "set tolerationSeconds for node.kubernetes.io/unreachable",
    );
  if (isJob) {
    if (
      spec.update.parallelismPercent !== undefined ||
      spec.update.parallelism > 1 ||
      spec.update.order === "start-first" ||
      spec.update.delayMs > 0
    )
      note("deploy.update_config", "a Job is not updated, but deleted and made anew", "leave it out");
    return;
  }
  const takesPorts =
    spec.template.ports.some(({ mode }) => mode === "host") || spec.template.container.networkMode === "host";
  if (spec.update.order === "start-first" && (isPinned || takesPorts))
    note(
      "deploy.update_config.order",
      `the old pod is stopped first: ${isPinned ? "its data" : "a port of its node"} cannot be held twice`,
      "use order: stop-first, as it is done",
    );
}

function noteFailures({ note }: ServiceContext, key: string, policy: UpdatePolicy): void {
  const { failureAction, maxFailureRatio, monitorMs } = policy;
  if (failureAction === "rollback")
    note(`${key}.failure_action`, "a failed update stays as it is: nothing goes back by itself", UNDO);
  if (failureAction === "continue") note(`${key}.failure_action`, "a failed update stops where it is", UNDO);
  if (maxFailureRatio > 0)
    note(`${key}.max_failure_ratio`, `${maxFailureRatio}: the first pod that does not get ready stops an update`, UNDO);
  if (monitorMs !== USUAL_MONITOR_MS)
    note(
      `${key}.monitor`,
      `${monitorMs} ms: nothing watches an update after its end`,
      "let a health check tell, or watch it with your monitoring",
    );
}

/** All pods are changed one after the other there; nothing is tried first, and nothing is kept. */
function noteStrategy({ spec, note }: ServiceContext): void {
  const { strategy, progressDeadlineMs } = spec.update;
  const key = "x-davit.update";
  if (progressDeadlineMs !== undefined)
    note(
      `${key}.progress_deadline`,
      `${progressDeadlineMs} ms: an update that is late is said to be, where there is a Deployment, and goes on`,
      UNDO,
    );
  if (strategy === undefined) return;
  const { kind, ...rest } = strategy;
  const what = kind === "canary" ? "no pod is tried before the others" : "new pods take over one after the other";
  note(
    `${key}.strategy`,
    `${kind} ${told(rest)}: ${what}`,
    "make a second workload with other labels beside it, and move the Service's selector",
  );
}

/** kubectl rollout undo goes by the strategy of the update. */
function noteRollback(context: ServiceContext): void {
  const { update, rollback } = context.spec;
  const key = "deploy.rollback_config";
  const differing = (["parallelism", "parallelismPercent", "delayMs", "order"] as const).filter(
    (name) => update[name] !== rollback[name],
  );
  if (differing.length > 0 && !isUsual(rollback))
    context.note(
      key,
      `${told(Object.fromEntries(differing.map((name) => [written(name), rollback[name]])))}: going back is done as an update is`,
      "leave rollback_config out",
    );
  const { progressDeadlineMs, strategy } = rollback;
  if (progressDeadlineMs !== undefined)
    context.note(
      "x-davit.rollback.progress_deadline",
      `${progressDeadlineMs} ms: going back has no deadline of its own`,
      UNDO,
    );
  if (strategy !== undefined)
    context.note("x-davit.rollback.strategy", `${told(strategy)}: going back goes straight`, "leave it out");
  noteFailures(context, key, { ...rollback, failureAction: rollback.failureAction === "pause" ? "pause" : "continue" });
}

function isUsual({ parallelism, parallelismPercent, delayMs, order }: UpdatePolicy): boolean {
  return parallelism === 1 && parallelismPercent === undefined && delayMs === 0 && order === "stop-first";
}

function written(name: string): string {
  if (name === "parallelismPercent") return "parallelism in percent";
  return name === "delayMs" ? "delay in ms" : name;
}

function noteRestart({ spec, note }: ServiceContext, isJob: boolean): void {
  const { condition, delayMs, maxAttempts, windowMs } = spec.template.restart;
  const key = "deploy.restart_policy";
  if (!isJob && condition !== "any")
    note(key, `condition ${condition}: the pods of a ${nameOf(spec)} are always restarted`, "run what ends as a Job");
  if (!isJob && maxAttempts > 0)
    note(`${key}.max_attempts`, `${maxAttempts}: pods are restarted without end`, "watch for CrashLoopBackOff");
  if (delayMs !== USUAL_DELAY_MS)
    note(`${key}.delay`, `${delayMs} ms: the kubelets wait 10 s at first and up to 5 min`, "leave it out");
  if (windowMs > 0)
    note(`${key}.window`, `${windowMs} ms: the kubelets count anew after ten minutes of running`, "leave it out");
}

function nameOf({ mode }: ServiceSpec): string {
  return mode.kind === "global" ? "DaemonSet" : "Deployment or StatefulSet";
}

function spanOf(ms: number = DEFAULT_OWN_LEASE_MS): string {
  return `${ms / 1_000} s`;
}
