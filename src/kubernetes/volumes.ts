// What becomes of each named volume: a claim, a claim that belongs to one StatefulSet, a claim on an NFS share, a directory of the node,
// or memory. Pods that share a pinned volume are kept together, as davit keeps their tasks. Pure.

import { isPinnedVolume, type ServiceSpec, type StackSpec, type VolumeSpec } from "../core/model/service-spec.ts";
import type { Noting } from "./manifest.ts";
import { Names, shortName } from "./names.ts";

export type VolumePlan =
  /** `isTemplate`: the StatefulSet of its only pod makes it. `isShared`: mounted on many nodes. `mates`: services kept on one node for it. */
  | {
      readonly kind: "claim";
      readonly name: string;
      readonly isTemplate: boolean;
      readonly isShared: boolean;
      readonly isMade: boolean;
      readonly isPinned: boolean;
      readonly mates: readonly string[];
    }
  | { readonly kind: "nfs"; readonly name: string; readonly share: NfsShare }
  | { readonly kind: "directory"; readonly path: string; readonly isMade: boolean }
  | { readonly kind: "memory"; readonly size: string | undefined };

export type NfsShare = {
  readonly server: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly mountOptions: readonly string[];
};

/** Plans by the volumes' full names, for those that are mounted. */
export function planVolumes(stack: StackSpec, noteOn: (what: string) => Noting): ReadonlyMap<string, VolumePlan> {
  const used = new Map<string, ServiceSpec[]>();
  for (const service of stack.services)
    for (const mount of service.template.container.mounts)
      if (mount.kind === "volume") {
        const users = used.get(mount.volume) ?? [];
        if (!users.includes(service)) used.set(mount.volume, [...users, service]);
      }
  for (const volume of stack.volumes)
    if (!used.has(volume.name))
      noteOn(`volumes.${shortName(volume.name, stack.name)}`)(
        "use",
        "no service mounts it, so no claim is made",
        "leave it out of the file",
      );
  const names = new Names().takeAll([...used.keys()].map((name) => shortName(name, stack.name)));
  const declared = new Map(stack.volumes.map((volume) => [volume.name, volume]));
  return new Map(
    [...used].map(([full, users]) => {
      const short = shortName(full, stack.name);
      const volume = declared.get(full) ?? { ...UNDECLARED, name: full };
      return [full, planOf(volume, names.get(short) ?? short, users, noteOn(`volumes.${short}`))];
    }),
  );
}

const UNDECLARED = { driver: "local", driverOpts: {}, labels: {}, external: false } as const;

function planOf(volume: VolumeSpec, name: string, users: readonly ServiceSpec[], note: Noting): VolumePlan {
  if (volume.external) {
    note("external", `a claim named ${name} must be there already`, "create the claim, or leave external: out");
    const isPinned = isPinnedVolume(volume);
    return {
      kind: "claim",
      name,
      isTemplate: false,
      isShared: false,
      isMade: false,
      isPinned,
      mates: matesOf(volume, users),
    };
  }
  const special = volume.driver === "local" ? localPlan(volume, name, note) : undefined;
  if (special !== undefined) return special;
  if (volume.driver !== "local")
    note(
      "driver",
      `the driver ${volume.driver} is the engine's: the storage class decides here`,
      "name a --storage-class",
    );
  if (users.every((user) => user.mode.kind === "global" || user.mode.kind === "global-job")) {
    note(
      "nodes",
      "a service on every node mounts it, so that each node has its own: it becomes a directory of the node",
      "use a driver for local volumes of your cluster, if it has one",
    );
    return { kind: "directory", path: `/var/lib/davit/volumes/${volume.name}`, isMade: true };
  }
  return claimOf(volume, name, users, note);
}

/** One claim for one pod is a StatefulSet's own; several pods are kept on one node, or must have what can be mounted on many. */
function claimOf(volume: VolumeSpec, name: string, users: readonly ServiceSpec[], note: Noting): VolumePlan {
  const pods = podsOfAll(users);
  const isPinned = isPinnedVolume(volume);
  const isTemplate = isPinned && pods === 1 && users[0]?.mode.kind === "replicated";
  const mates = matesOf(volume, users);
  const isShared = pods > 1 && mates.length === 0;
  if (isShared)
    note(
      "access",
      `${pods === Infinity ? "pods on every node" : `${pods} pods on any node`} mount it: the claim asks for ReadWriteMany`,
      "name a --storage-class that offers it, or give each service a volume of its own",
    );
  return { kind: "claim", name, isTemplate, isShared, isMade: true, isPinned, mates };
}

/** The services whose pods must be on one node for a volume that is there; what runs on every node cannot be. */
function matesOf(volume: VolumeSpec, users: readonly ServiceSpec[]): readonly string[] {
  const pods = podsOfAll(users);
  return isPinnedVolume(volume) && pods > 1 && pods < Infinity ? users.map(({ name }) => name) : [];
}

function podsOfAll(users: readonly ServiceSpec[]): number {
  return users.reduce((sum, { mode }) => sum + podsOf(mode), 0);
}

function podsOf(mode: ServiceSpec["mode"]): number {
  switch (mode.kind) {
    case "replicated":
      return Math.max(1, mode.replicas);
    case "replicated-job":
      return Math.max(1, Math.min(mode.completions, mode.concurrency));
    case "global":
    case "global-job":
      return Infinity;
  }
}

/** What options of the local driver make of a volume; undefined for a plain directory of the engine. */
function localPlan({ driverOpts }: VolumeSpec, name: string, note: Noting): VolumePlan | undefined {
  const { type = "", device = "", o = "", ...others } = driverOpts;
  const options = o.split(",").filter((option) => option !== "");
  if (Object.keys(others).length > 0)
    note(
      "driver_opts",
      `${Object.keys(others).join(", ")}: Kubernetes has no such option`,
      "set it in the storage class",
    );
  if (type.startsWith("nfs")) return nfsPlan(name, device, options, type, note);
  if (options.includes("bind") && isSafePath(device)) return { kind: "directory", path: device, isMade: false };
  if (type === "tmpfs") {
    const size = options.find((option) => option.startsWith("size="))?.slice("size=".length);
    note("driver_opts", "memory of each pod, where tasks of one node shared it", "use tmpfs: in the service");
    return { kind: "memory", size: size === undefined ? undefined : memorySize(size) };
  }
  if (type !== "" || device !== "" || o !== "")
    note(
      "driver_opts",
      `type ${type === "" ? "none" : type} is mounted by the storage class`,
      "name a --storage-class for it",
    );
  return undefined;
}

function nfsPlan(
  name: string,
  device: string,
  options: readonly string[],
  type: string,
  note: Noting,
): VolumePlan | undefined {
  const server = options.find((option) => option.startsWith("addr="))?.slice("addr=".length) ?? "";
  const path = device.replace(/^[^:/]*:/, "");
  if (server === "" || !isSafePath(path)) {
    note("driver_opts", "the NFS share is not named in full", "give o: addr=SERVER and device: ':/path'");
    return undefined;
  }
  const rest = options.filter((option) => !/^addr=|^(ro|rw)$/.test(option));
  const version = type === "nfs4" && !rest.some((option) => /^(nfs)?vers=/.test(option)) ? ["nfsvers=4"] : [];
  const share = { server, path, readOnly: options.includes("ro"), mountOptions: [...version, ...rest] };
  return { kind: "nfs", name, share };
}

/** Absolute, and without a way up, which Kubernetes refuses. */
export function isSafePath(path: string): boolean {
  return path.startsWith("/") && !path.split("/").includes("..");
}

/** "64m" of a mount option, as a quantity. */
export function memorySize(text: string): string | undefined {
  const match = /^(\d+)([kmgt]?)(?:i?b)?$/i.exec(text);
  const unit = (match?.[2] ?? "").toUpperCase();
  return match === null ? undefined : `${match[1]}${unit === "" ? "" : `${unit}i`}`;
}
