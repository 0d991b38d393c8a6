// Options of a container that a pod has no field for, each with what to do instead. Pure.

import type { ContainerSpec, RuntimeOptions } from "../core/model/service-spec.ts";
import type { ServiceContext } from "./context.ts";
import { told } from "./manifest.ts";

type Lost = readonly [key: string, message: string, wayOut: string];

const KUBELET = "set it in the kubelets' configuration";
const NODES = "set it on the nodes";
const QOS = "Kubernetes decides by requests and limits: reserve memory";

/** Noted whenever they are there. */
const NEVER: { readonly [Name in keyof RuntimeOptions]?: Lost } = {
  ulimits: ["ulimits", "a pod sets no ulimits", "set them in the nodes' container runtime, or in the entrypoint"],
  cgroupParent: ["cgroup_parent", "the kubelets decide it", KUBELET],
  oomScoreAdj: ["oom_score_adj", "the kubelets decide it", QOS],
  deviceCgroupRules: ["device_cgroup_rules", "a pod has none", "use a device plugin"],
  blkio: ["blkio_config", "a pod has no limits on block devices", "choose a storage class with limits"],
  cpuShares: ["cpu_shares", "they follow from the CPUs that are reserved", "give deploy.resources.reservations.cpus"],
  cpuRealtimePeriodUs: ["cpu_rt_period", "a pod has no realtime budget", NODES],
  cpuRealtimeRuntimeUs: ["cpu_rt_runtime", "a pod has no realtime budget", NODES],
  cpuset: [
    "cpuset",
    "a pod does not choose its CPUs",
    "let the kubelets have the static CPU manager policy, and reserve whole CPUs",
  ],
  memorySwappiness: ["mem_swappiness", "the nodes decide it", NODES],
};

export function noteRuntime({ spec, note }: ServiceContext): void {
  const { container, resources } = spec.template;
  const { runtime } = container;
  for (const [name, lost] of Object.entries(NEVER) as [keyof RuntimeOptions, Lost][])
    if (isThere(runtime[name])) note(lost[0], `${told(runtime[name])}: ${lost[1]}`, lost[2]);
  for (const lost of [...lostOfContainer(container), ...lostNamespaces(container)]) note(...lost);
  if (runtime.oomKillDisable === true) note("oom_kill_disable", "the kernel's choice is not stopped", QOS);
  const { memorySwapBytes: swap } = runtime;
  if (swap !== undefined && swap !== resources.limits.memoryBytes)
    note("memswap_limit", `${swap}: the kubelets decide on swap`, "set memorySwap in their configuration");
  const devices = (runtime.devices ?? []).filter(
    (device) => runtime.privileged !== true || device.source !== device.target,
  );
  if (devices.length > 0)
    note("devices", `${told(devices)}: a pod names no devices`, "use a device plugin, or make the service privileged");
}

function isThere(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}

function lostOfContainer({ stopSignal, domainname, logging }: ContainerSpec): readonly Lost[] {
  const lost: Lost[] = [];
  if (stopSignal !== undefined)
    lost.push([
      "stop_signal",
      `${stopSignal}: the image's own is sent, SIGTERM if it has none`,
      "set STOPSIGNAL in the image",
    ]);
  if (domainname !== undefined)
    lost.push(["domainname", `${domainname}: pods have names in the cluster's domain`, "use the names of Services"]);
  if (logging !== undefined)
    lost.push(["logging", `${told(logging)}: the nodes collect logs`, "run a log collector on each node"]);
  return lost;
}

function lostNamespaces({ networkMode, runtime }: ContainerSpec): readonly Lost[] {
  const { pidMode, ipcMode, utsMode, usernsMode, cgroupNamespace } = runtime;
  const lost: Lost[] = [];
  const other = (key: string, mode: string): void =>
    void lost.push([key, `'${mode}' is no choice in Kubernetes`, "host is, and a namespace of the pod's own"]);
  if (pidMode !== undefined && pidMode !== "host") other("pid", pidMode);
  if (ipcMode !== undefined && !["host", "private", "shareable"].includes(ipcMode)) other("ipc", ipcMode);
  if (usernsMode !== undefined && usernsMode !== "host") other("userns_mode", usernsMode);
  if (utsMode !== undefined && networkMode !== "host")
    lost.push([
      "uts",
      `${utsMode}: a pod has the node's host name on the node's network only`,
      "use network_mode: host",
    ]);
  if (cgroupNamespace === "host")
    lost.push(["cgroup", "a pod has a cgroup namespace of its own", "mount /sys/fs/cgroup"]);
  return lost;
}
