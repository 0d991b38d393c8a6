// Limits and reservations to a container's resources, GPUs and what else a node counts included. A limit without a reservation is also
// the request, as Kubernetes has it. Pure.

import type { DeviceRequest } from "../core/model/service-spec.ts";
import type { ServiceContext } from "./context.ts";
import { type Fields, someOf, told, type Value } from "./manifest.ts";
import { isQualifiedName } from "./names.ts";
import { byteQuantity, cpuQuantity } from "./quantities.ts";
import { memorySize } from "./volumes.ts";

const DEFAULT_PERIOD_US = 100_000;
const NVIDIA = "nvidia.com/gpu";

export function resourcesOf(context: ServiceContext): Value {
  const { spec, note } = context;
  const { limits, reservations } = spec.template.resources;
  const counted = countedOf(context);
  const cpuLimit = cpuLimitOf(context);
  const requestOf = (key: string, wanted: number, limit: number): number | undefined => {
    if (wanted <= 0) return undefined;
    if (limit <= 0 || wanted <= limit) return wanted;
    note(
      `deploy.resources.reservations.${key}`,
      `${wanted} is above the limit, and is lowered to it`,
      "raise the limit",
    );
    return limit;
  };
  const cpus = requestOf("cpus", reservations.cpus, cpuLimit);
  const memory = requestOf("memory", reservations.memoryBytes, limits.memoryBytes);
  if (limits.pids > 0)
    note(
      "pids_limit",
      `${limits.pids}: a pod cannot limit its processes`,
      "set podPidsLimit in the kubelets' configuration",
    );
  return someOf({
    limits: someOf({
      ...(cpuLimit > 0 ? { cpu: cpuQuantity(cpuLimit) } : {}),
      ...(limits.memoryBytes > 0 ? { memory: byteQuantity(limits.memoryBytes) } : {}),
      ...storageOf(context),
      ...counted,
    }),
    requests: someOf({
      ...(cpus === undefined ? {} : { cpu: cpuQuantity(cpus) }),
      ...(memory === undefined ? {} : { memory: byteQuantity(memory) }),
      ...counted,
    }),
  });
}

/** cpu_quota in cpu_period is a limit too; 0 when there is none. */
function cpuLimitOf({ spec, note }: ServiceContext): number {
  const { cpuPeriodUs, cpuQuotaUs } = spec.template.container.runtime;
  const { cpus } = spec.template.resources.limits;
  if (cpuPeriodUs !== undefined && cpuPeriodUs !== DEFAULT_PERIOD_US)
    note(
      "cpu_period",
      `${cpuPeriodUs}: the kubelets decide the period`,
      "set cpuCFSQuotaPeriod in their configuration",
    );
  if (cpuQuotaUs === undefined || cpuQuotaUs <= 0) return cpus;
  if (cpus > 0) note("cpu_quota", `${cpuQuotaUs}: the limit of ${cpus} CPUs goes before it`, "leave one of them out");
  return cpus > 0 ? cpus : cpuQuotaUs / Math.max(1, cpuPeriodUs ?? DEFAULT_PERIOD_US);
}

function storageOf({ spec, note }: ServiceContext): Fields {
  const { size, ...others } = spec.template.container.runtime.storageOptions ?? {};
  const amount = size === undefined ? undefined : memorySize(size);
  const refused = [...Object.keys(others), ...(size !== undefined && amount === undefined ? ["size"] : [])];
  if (refused.length > 0)
    note("storage_opt", `${refused.join(", ")}: Kubernetes has no such option`, "storage_opt: size is carried over");
  return amount === undefined ? {} : { "ephemeral-storage": amount };
}

function countedOf({ spec, note }: ServiceContext): Readonly<Record<string, string>> {
  const counted: Record<string, string> = {};
  for (const [kind, amount] of Object.entries(spec.template.resources.reservations.generic)) {
    if (amount <= 0) continue;
    if (kind.includes("/") && isQualifiedName(kind)) counted[kind] = String(Math.ceil(amount));
    else
      note(
        "deploy.resources.reservations.generic_resources",
        `'${kind}' is not a resource of Kubernetes, whose names begin with a domain`,
        "ask for what the device plugin of your cluster calls it, such as nvidia.com/gpu",
      );
  }
  let gpus = 0;
  for (const request of spec.template.container.runtime.deviceRequests ?? []) gpus += gpusOf(request, note);
  if (gpus > 0) counted[NVIDIA] = String(gpus + Number(counted[NVIDIA] ?? 0));
  return counted;
}

/** How many GPUs a request comes to; 0 for what is no NVIDIA GPU. */
function gpusOf({ driver, count, ids, capabilities, options }: DeviceRequest, note: ServiceContext["note"]): number {
  const isGpu = capabilities.some((all) => all.some((name) => name === "gpu" || name === "nvidia"));
  if (!isGpu || (driver !== undefined && driver !== "" && driver !== "nvidia")) {
    note(
      "gpus",
      `devices of ${driver ?? `capabilities ${capabilities.map((all) => all.join(" and ")).join(" or ")}`} have no name in Kubernetes that is known here`,
      "add the resource of its device plugin to limits",
    );
    return 0;
  }
  const more = [...new Set(capabilities.flat())].filter((name) => name !== "gpu" && name !== "nvidia");
  if (more.length > 0)
    note(
      "gpus",
      `the capabilities ${more.join(", ")} are not asked for`,
      "set NVIDIA_DRIVER_CAPABILITIES in environment",
    );
  if (Object.keys(options).length > 0)
    note("gpus", `options ${told(options)} are the engine's`, "the device plugin has its own");
  if (ids !== undefined && ids.length > 0) {
    note(
      "gpus",
      `the devices ${ids.join(", ")} cannot be named: Kubernetes chooses ${ids.length}`,
      "pick nodes by label",
    );
    return ids.length;
  }
  if (count !== undefined && count >= 0) return count;
  note("gpus", "Kubernetes knows no 'all': one is asked for", "give a count");
  return 1;
}
