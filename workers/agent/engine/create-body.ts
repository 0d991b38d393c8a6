// One task as the engine's create request. Pure: what the tests compare is what goes over the socket.
// The engine never restarts anything by itself, and adds an init process only when asked.

import type { Mount } from "../../../src/core/model/service-spec.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import type { ContainerRequest } from "../../../src/ports/container-engine.ts";

/** Logs on disk per container, unless the spec says otherwise: three files of 10 MB. */
const DEFAULT_LOGGING = { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } };
const NANOS_PER_CPU = 1e9;

/** The body of POST /containers/create. Absent options are left out: the engine's defaults hold. */
export function renderCreateBody(request: ContainerRequest): Readonly<Record<string, unknown>> {
  const { task } = request;
  const { container } = task;
  return defined({
    Image: container.image,
    Hostname: container.hostname,
    Domainname: container.domainname,
    User: container.user,
    WorkingDir: container.workingDir,
    Entrypoint: container.entrypoint,
    Cmd: container.command,
    Env: Object.entries(container.env).map(([name, value]) => `${name}=${value}`),
    Labels: { ...container.labels, ...request.labels },
    Tty: container.tty,
    OpenStdin: container.openStdin,
    StopSignal: container.stopSignal,
    StopTimeout: Math.ceil(container.stopGraceMs / 1_000),
    // probes of the agent's own replace the image's, else both would run
    Healthcheck: task.health.probe.kind === "image" ? undefined : { Test: ["NONE"] },
    ExposedPorts: Object.fromEntries(task.hostPorts.map((port) => [`${port.target}/${port.protocol}`, {}])),
    HostConfig: hostConfig(request),
    NetworkingConfig: { EndpointsConfig: { [request.network]: { IPAMConfig: { IPv4Address: task.address } } } },
  });
}

function hostConfig(request: ContainerRequest): Readonly<Record<string, unknown>> {
  const { task, network } = request;
  const { container, resources } = task;
  const { runtime, logging } = container;
  return defined({
    NetworkMode: network,
    RestartPolicy: { Name: "no" },
    PortBindings: portBindings(task),
    Mounts: container.mounts.map(renderMount),
    Init: container.init === true ? true : undefined,
    ReadonlyRootfs: container.readOnly,
    GroupAdd: container.groups,
    LogConfig: logging === undefined ? DEFAULT_LOGGING : { Type: logging.driver, Config: logging.options },
    NanoCpus: orNothing(Math.round(resources.limits.cpus * NANOS_PER_CPU)),
    Memory: orNothing(resources.limits.memoryBytes),
    MemoryReservation: orNothing(resources.reservations.memoryBytes),
    PidsLimit: orNothing(resources.limits.pids),
    CapAdd: runtime.capAdd,
    CapDrop: runtime.capDrop,
    Privileged: runtime.privileged,
    SecurityOpt: runtime.securityOpt,
    Sysctls: runtime.sysctls,
    Ulimits: runtime.ulimits?.map((limit) => ({ Name: limit.name, Soft: limit.soft, Hard: limit.hard })),
    ShmSize: runtime.shmSizeBytes,
    Devices: runtime.devices?.map((device) => ({
      PathOnHost: device.source,
      PathInContainer: device.target,
      CgroupPermissions: device.permissions,
    })),
    ExtraHosts: runtime.extraHosts,
    Dns: runtime.dns,
    DnsSearch: runtime.dnsSearch,
    DnsOptions: runtime.dnsOptions,
    PidMode: runtime.pidMode,
    IpcMode: runtime.ipcMode,
    OomScoreAdj: runtime.oomScoreAdj,
  });
}

function portBindings(task: TaskWork): Readonly<Record<string, unknown>> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of task.hostPorts) {
    const key = `${port.target}/${port.protocol}`;
    (bindings[key] ??= []).push({ HostIp: port.hostIp ?? "", HostPort: String(port.published) });
  }
  return bindings;
}

function renderMount(mount: Mount): Readonly<Record<string, unknown>> {
  switch (mount.kind) {
    case "volume":
      return { Type: "volume", Source: mount.volume, Target: mount.target, ReadOnly: mount.readOnly };
    case "bind":
      return { Type: "bind", Source: mount.source, Target: mount.target, ReadOnly: mount.readOnly };
    case "tmpfs":
      return {
        Type: "tmpfs",
        Target: mount.target,
        TmpfsOptions: defined({ SizeBytes: mount.sizeBytes, Mode: mount.mode }),
      };
  }
}

function orNothing(amount: number): number | undefined {
  return amount > 0 ? amount : undefined;
}

function defined(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
