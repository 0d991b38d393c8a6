// What davit does with each key of a service's deploy section. Pure data.

import { type KeyTable, under, v } from "./verdict.ts";

const davit = v("davit");
const D = "services.*.deploy";
const POLICY = "parallelism delay order failure_action monitor max_failure_ratio";

export const DEPLOY_KEYS: KeyTable = {
  [`${D}.endpoint_mode`]: v(
    "davit",
    "vip, the default: one address for the service; dnsrr: its names lead to its tasks",
  ),
  [`${D}.labels`]: v("davit", "labels of the service"),
  [`${D}.mode`]: v("davit", "replicated, global, replicated-job, global-job"),
  [`${D}.placement`]: davit,
  [`${D}.placement.constraints`]: v(
    "davit",
    "== != in notin exists !exists < <= > >= on node.id, node.hostname, node.role, node.ip, node.platform.os, node.platform.arch, node.labels.…, engine.labels.…; * and ? in values",
  ),
  [`${D}.placement.preferences`]: davit,
  [`${D}.placement.preferences.spread`]: davit,
  [`${D}.placement.max_replicas_per_node`]: davit,
  [`${D}.replicas`]: v("davit", "1 unless given"),
  [`${D}.resources`]: davit,
  [`${D}.resources.limits`]: davit,
  ...under(`${D}.resources.limits`, v("engine"), "cpus memory pids"),
  [`${D}.resources.reservations`]: v("davit", "what scheduling counts"),
  ...under(`${D}.resources.reservations`, davit, "cpus memory generic_resources"),
  [`${D}.resources.reservations.generic_resources.discrete_resource_spec`]: davit,
  ...under(`${D}.resources.reservations.generic_resources.discrete_resource_spec`, davit, "kind value"),
  [`${D}.resources.reservations.devices`]: v(
    "engine",
    "a device request; add generic_resources so that scheduling counts them",
  ),
  ...under(`${D}.resources.reservations.devices`, v("engine"), "capabilities count device_ids driver options"),
  [`${D}.restart_policy`]: davit,
  ...under(`${D}.restart_policy`, davit, "condition delay max_attempts window"),
  [`${D}.rollback_config`]: davit,
  ...under(`${D}.rollback_config`, davit, POLICY),
  [`${D}.update_config`]: davit,
  ...under(`${D}.update_config`, davit, POLICY),
};
