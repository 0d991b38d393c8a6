// One task as the engine's create request. Pure: what the tests compare is what goes over the socket.
// The engine never restarts anything by itself, and adds an init process only when asked.

import type { BindMount, ConfigMount, Mount, ResourceSpec, VolumeMount } from "../../../src/core/model/service-spec.ts";
import type { TaskWork } from "../../../src/core/model/work.ts";
import type { ConfigPaths, ContainerRequest } from "../../../src/ports/container-engine.ts";
import { invariant } from "../../../src/core/model/invariant.ts";
import { defined, runtimeConfig } from "./runtime-config.ts";

/** Logs on disk per container, unless the spec says otherwise: three files of 10 MB. */
const DEFAULT_LOGGING = { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } };
const NANOS_PER_CPU = 1e9;
/** Where a container looks up whom to ask for names. */
export const RESOLV_CONF = "/etc/resolv.conf";

/** The body of POST /containers/create. Absent options are left out: the engine's defaults hold. */
export function renderCreateBody(request: ContainerRequest, configs: ConfigPaths): Readonly<Record<string, unknown>> {
  const { task } = request;
  const { container } = task;
  const networking = { EndpointsConfig: { [request.network]: { IPAMConfig: { IPv4Address: task.address } } } };
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
    HostConfig: hostConfig(request, configs),
    NetworkingConfig: container.networkMode === undefined ? networking : undefined,
  });
}

function hostConfig(request: ContainerRequest, configs: ConfigPaths): Readonly<Record<string, unknown>> {
  const { task, network } = request;
  const { container, resources } = task;
  const { runtime, logging } = container;
  const names = configs[RESOLV_CONF];
  const made = container.mounts.filter((mount) => mount.kind === "bind" && mount.createSource === true) as BindMount[];
  return defined({
    NetworkMode: container.networkMode ?? network,
    RestartPolicy: { Name: "no" },
    PortBindings: portBindings(task),
    // the engine makes a missing source, and labels one for SELinux, only of a bind in the old form
    Binds: made.length === 0 && names === undefined ? undefined : [...made.map(renderBind), ...bindNames(names)],
    Mounts: container.mounts
      .filter((mount) => !made.includes(mount as BindMount))
      .map((mount) => renderMount(mount, configs)),
    Init: container.init === true ? true : undefined,
    ReadonlyRootfs: container.readOnly,
    GroupAdd: container.groups,
    LogConfig: logging === undefined ? DEFAULT_LOGGING : { Type: logging.driver, Config: logging.options },
    NanoCpus: orNothing(Math.round(resources.limits.cpus * NANOS_PER_CPU)),
    Memory: orNothing(resources.limits.memoryBytes),
    MemoryReservation: orNothing(resources.reservations.memoryBytes),
    PidsLimit: orNothing(resources.limits.pids),
    ...runtimeConfig(runtime),
  });
}

/** The body of POST /containers/{id}/update. Without swap of its own a container may use as much swap as memory, as at its making. */
export function renderUpdateBody(
  { limits, reservations }: ResourceSpec,
  memorySwapBytes: number | undefined,
): Readonly<Record<string, unknown>> {
  const { memoryBytes, cpus, pids } = limits;
  return defined({
    NanoCpus: orNothing(Math.round(cpus * NANOS_PER_CPU)),
    Memory: orNothing(memoryBytes),
    MemorySwap: memoryBytes > 0 ? (memorySwapBytes ?? memoryBytes * 2) : undefined,
    MemoryReservation: orNothing(reservations.memoryBytes),
    // of pids alone the limit can be taken away
    PidsLimit: pids > 0 ? pids : -1,
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

function renderMount(mount: Mount, configs: ConfigPaths): Readonly<Record<string, unknown>> {
  switch (mount.kind) {
    case "volume":
      return {
        Type: "volume",
        Source: mount.volume,
        Target: mount.target,
        ReadOnly: mount.readOnly,
        ...volumeOptions(mount),
      };
    case "bind":
      return {
        Type: "bind",
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
        ...(mount.propagation === undefined ? {} : { BindOptions: { Propagation: mount.propagation } }),
      };
    case "config":
      return { Type: "bind", Source: configPath(mount, configs), Target: mount.target, ReadOnly: true };
    case "tmpfs":
      return {
        Type: "tmpfs",
        Target: mount.target,
        TmpfsOptions: defined({ SizeBytes: mount.sizeBytes, Mode: mount.mode }),
      };
  }
}

function volumeOptions(mount: VolumeMount): Readonly<Record<string, unknown>> {
  const options = defined({ NoCopy: mount.noCopy, Subpath: mount.subpath });
  return Object.keys(options).length === 0 ? {} : { VolumeOptions: options };
}

function bindNames(path: string | undefined): readonly string[] {
  return path === undefined ? [] : [`${path}:${RESOLV_CONF}:ro,z`];
}

/** "/srv/data:/data:ro,rslave" */
function renderBind(mount: BindMount): string {
  const options = [mount.readOnly ? "ro" : "rw", ...(mount.propagation === undefined ? [] : [mount.propagation])];
  return `${mount.source}:${mount.target}:${options.join(",")}`;
}

function configPath(mount: ConfigMount, configs: ConfigPaths): string {
  const path = configs[mount.target];
  invariant(path !== undefined, `config ${mount.name} at ${mount.target} has no file on this host`);
  return path;
}

function orNothing(amount: number): number | undefined {
  return amount > 0 ? amount : undefined;
}
