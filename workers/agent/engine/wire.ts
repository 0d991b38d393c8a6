// The parts of Docker's answers that are read, and how they become the port's shapes. Pure.

import type {
  ContainerState,
  EngineContainer,
  EngineImage,
  NetworkMember,
} from "../../../src/ports/container-engine.ts";

export type ListJson = {
  readonly Id: string;
  readonly Names?: readonly string[];
  readonly ImageID: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly State: string;
};

export type InspectJson = {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly Config: { readonly Labels?: Readonly<Record<string, string>>; readonly Tty?: boolean };
  readonly NetworkSettings?: { readonly SandboxKey?: string };
  readonly HostConfig?: { readonly NetworkMode?: string };
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
    readonly Health?: {
      readonly Status: string;
      readonly Log?: readonly { readonly ExitCode: number; readonly Output: string }[] | null;
    };
  };
};

export type ImageJson = {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
  readonly Created?: string;
  readonly Size?: number;
  readonly Config?: { readonly Healthcheck?: { readonly Test?: readonly string[] } | null };
};

export type InfoJson = {
  readonly ServerVersion: string;
  readonly Labels?: readonly string[] | null;
  readonly OSType: string;
  readonly Architecture: string;
  readonly KernelVersion: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly DockerRootDir: string;
};

export type NetworkJson = {
  readonly Id: string;
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null };
  readonly Containers?: Readonly<Record<string, { readonly MacAddress?: string; readonly IPv4Address?: string }>>;
  readonly Options?: Readonly<Record<string, string>>;
};

/** From GET /networks/{name}: addresses come with the length of their prefix. */
export function readMembers(json: NetworkJson): readonly NetworkMember[] {
  return Object.entries(json.Containers ?? {}).map(([containerId, { IPv4Address = "", MacAddress = "" }]) => ({
    containerId,
    address: IPv4Address.split("/")[0] ?? "",
    mac: MacAddress.toLowerCase(),
  }));
}

/** From GET /containers/json. */
export function readListed(json: ListJson): EngineContainer {
  return {
    id: json.Id,
    name: (json.Names?.[0] ?? "").replace(/^\//, ""),
    labels: json.Labels ?? {},
    state: json.State as ContainerState,
    imageId: json.ImageID,
  };
}

/** From GET /containers/{id}/json. */
export function readContainer(json: InspectJson): EngineContainer {
  const { State } = json;
  const startedAtMs = readTime(State.StartedAt);
  const finishedAtMs = readTime(State.FinishedAt);
  const health = readHealth(json);
  const networkPath = json.HostConfig?.NetworkMode === "host" ? "" : (json.NetworkSettings?.SandboxKey ?? "");
  return {
    id: json.Id,
    name: json.Name.replace(/^\//, ""),
    labels: json.Config.Labels ?? {},
    state: State.Status as ContainerState,
    imageId: json.Image,
    exitCode: State.ExitCode,
    oomKilled: State.OOMKilled,
    error: State.Error,
    tty: json.Config.Tty ?? false,
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
    ...(health === undefined ? {} : { engineHealth: health }),
    ...(networkPath === "" ? {} : { networkPath }),
  };
}

function readHealth(json: InspectJson): EngineContainer["engineHealth"] {
  const health = json.State.Health;
  if (health === undefined || !["starting", "healthy", "unhealthy"].includes(health.Status)) return undefined;
  const last = health.Log?.at(-1);
  const answer =
    last === undefined
      ? ""
      : [`HEALTHCHECK: exit code ${last.ExitCode}`, last.Output.trim()].filter((part) => part !== "").join(": ");
  return { status: health.Status as "starting" | "healthy" | "unhealthy", answer };
}

/** From GET /images/{name}/json. */
export function readImage(json: ImageJson): EngineImage {
  const digest = json.RepoDigests?.[0]?.split("@")[1];
  const test = json.Config?.Healthcheck?.Test ?? [];
  return {
    id: json.Id,
    ...(digest === undefined ? {} : { digest }),
    tags: json.RepoTags ?? [],
    createdAtMs: readTime(json.Created ?? "") ?? 0,
    sizeBytes: json.Size ?? 0,
    hasHealthCheck: test.length > 0 && test[0] !== "NONE",
  };
}

/** RFC 3339 with nanoseconds; Docker writes year 1 for "never". */
function readTime(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}
