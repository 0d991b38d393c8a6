// A service's mounts to the volumes of its pod and where its container has them. Pure.

import type { BindMount, ConfigMount, TmpfsMount, VolumeMount } from "../core/model/service-spec.ts";
import { configKey, configMapName } from "./configs.ts";
import type { ServiceContext, StackContext } from "./context.ts";
import type { Value } from "./manifest.ts";
import { Names, shortName } from "./names.ts";
import { placeholdersIn } from "./placeholders.ts";
import { byteQuantity } from "./quantities.ts";
import { isSafePath } from "./volumes.ts";

/** Permissions of an emptyDir, with and without the sticky bit. */
const OPEN_MODES: ReadonlySet<number> = new Set([0o777, 0o1777]);
const SHM = "/dev/shm";
const FILE_ENDING = /\.(cfg|conf|cnf|crt|csv|env|htpasswd|ini|json|key|log|pem|properties|sh|sql|toml|txt|xml|ya?ml)$/i;
/** On every node, whoever made it. */
const DIRECTORIES: ReadonlySet<string> = new Set(
  ["", "boot", "dev", "etc", "home", "lib", "lib/modules", "proc", "root", "run", "sys", "tmp", "usr", "var"].map(
    (name) => `/${name}`,
  ),
);
const ENGINE_SOCKET = /\/docker\.sock$/;
const FILES = /^\/etc\/(localtime|timezone|hosts|hostname|resolv\.conf|passwd|group|machine-id|os-release)$/;

export type PodMounts = {
  readonly volumes: readonly Value[];
  readonly volumeMounts: readonly Value[];
  /** Full names of the volumes that the StatefulSet makes claims for, with the name in the pod. */
  readonly templates: readonly { readonly volume: string; readonly name: string }[];
  /** A claim, whoever makes it. */
  readonly hasClaims: boolean;
  /** Data that its only pod writes, so that the next one must not begin before it is gone. */
  readonly isPinned: boolean;
  /** Names of services, this one among them, whose pods must be on one node: a list for each volume that they share. */
  readonly together: readonly (readonly string[])[];
};

export function podMountsOf(stack: StackContext, context: ServiceContext): PodMounts {
  const mounts = new Mounts(stack, context);
  for (const mount of context.spec.template.container.mounts) {
    if (mount.target.includes(":")) {
      context.note("volumes", `${mount.target}: Kubernetes takes no colon in a path`, "mount it elsewhere");
      continue;
    }
    switch (mount.kind) {
      case "volume":
        mounts.addVolume(mount);
        break;
      case "bind":
        mounts.addBind(mount);
        break;
      case "config":
        mounts.addConfig(mount);
        break;
      case "tmpfs":
        mounts.addTmpfs(mount);
        break;
    }
  }
  mounts.addShm();
  return mounts.result();
}

class Mounts {
  readonly #stack: StackContext;
  readonly #context: ServiceContext;
  readonly #names = new Names();
  readonly #byKey = new Map<string, string>();
  readonly #volumes: Value[] = [];
  readonly #volumeMounts: Value[] = [];
  readonly #templates: { volume: string; name: string }[] = [];
  #hasClaims = false;
  #isPinned = false;
  readonly #together = new Map<string, readonly string[]>();

  constructor(stack: StackContext, context: ServiceContext) {
    this.#stack = stack;
    this.#context = context;
  }

  result(): PodMounts {
    return {
      volumes: this.#volumes,
      volumeMounts: this.#volumeMounts,
      templates: this.#templates,
      hasClaims: this.#hasClaims,
      isPinned: this.#isPinned,
      together: [...this.#together.values()],
    };
  }

  /** The pod's volume for a key, made at its first mount. */
  #volume(key: string, wish: string, source: (name: string) => Value): string {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const name = this.#names.take(wish);
    this.#byKey.set(key, name);
    const made = source(name);
    if (made !== undefined) this.#volumes.push(made);
    return name;
  }

  addVolume(mount: VolumeMount): void {
    const { note } = this.#context;
    const plan = this.#stack.volumes.get(mount.volume);
    if (plan === undefined) return;
    const short = shortName(mount.volume, this.#stack.stack.name);
    const name = this.#volume(`volume ${mount.volume}`, short, (own) => {
      switch (plan.kind) {
        case "claim":
          this.#hasClaims = true;
          this.#keepTogether(plan.mates);
          if (!plan.isTemplate) return { name: own, persistentVolumeClaim: { claimName: plan.name } };
          this.#templates.push({ volume: mount.volume, name: own });
          return undefined;
        case "nfs":
          return { name: own, persistentVolumeClaim: { claimName: plan.name } };
        case "directory":
          return { name: own, hostPath: { path: plan.path, type: plan.isMade ? "DirectoryOrCreate" : "Directory" } };
        case "memory":
          return { name: own, emptyDir: { medium: "Memory", sizeLimit: plan.size } };
      }
    });
    if (plan.kind === "claim" && plan.isPinned && this.#isOnly && (plan.isTemplate || !mount.readOnly))
      this.#isPinned = true;
    const isInside = mount.subpath === undefined || (isSafePath(`/${mount.subpath}`) && !mount.subpath.startsWith("/"));
    if (!isInside)
      note("volumes", `${mount.target}: '${mount.subpath}' is no path inside the volume`, "write it without / and ..");
    if (mount.noCopy !== true && plan.kind === "claim" && !mount.readOnly)
      note(
        "volumes",
        `${mount.target}: a new claim is empty: what the image has there is not copied into it`,
        "write volume: {nocopy: true} if that does not matter, or copy it in an initContainer",
      );
    // the root of a new file system is not empty (lost+found), as a new volume of an engine is
    const root = plan.kind === "claim" && plan.isMade ? plan.name : undefined;
    const subpath = isInside ? mount.subpath : undefined;
    const inside = [root, subpath].filter((part) => part !== undefined).join("/");
    this.#mount(name, mount.target, mount.readOnly, inside === "" ? undefined : inside);
  }

  /** Whether the service has one pod at a time. */
  get #isOnly(): boolean {
    const { mode } = this.#context.spec;
    return mode.kind === "replicated" && mode.replicas <= 1;
  }

  #keepTogether(mates: readonly string[]): void {
    const { services } = this.#stack;
    const names = mates.flatMap((mate) => services.find(({ spec }) => spec.name === mate)?.name ?? []).sort();
    if (names.length > 0) this.#together.set(names.join(), names);
  }

  addBind(mount: BindMount): void {
    const { note, spec } = this.#context;
    const { source, target, readOnly, propagation } = mount;
    if (!isSafePath(source)) {
      note("volumes", `${source}: Kubernetes takes absolute paths without .. only`, "write where it leads");
      return;
    }
    if (placeholdersIn(source).length > 0)
      note("volumes", `${source}: the path is taken as it stands`, "mount the directory above with a subPathExpr");
    if (ENGINE_SOCKET.test(source))
      note("volumes", `${source}: the nodes of a cluster mostly have no Docker engine`, "use the API of Kubernetes");
    const name = this.#volume(`bind ${source} ${mount.createSource === true}`, `host-${source}`, (own) => ({
      name: own,
      hostPath: { path: source, type: hostPathType(mount) },
    }));
    const isPrivileged = spec.template.container.runtime.privileged === true;
    const known = PROPAGATIONS[propagation ?? ""];
    const isRefused = known === "Bidirectional" && !isPrivileged;
    if (propagation !== undefined && (known === undefined || isRefused))
      note(
        "volumes",
        `${target}: propagation ${propagation} is not carried over`,
        isRefused ? "Kubernetes gives it to privileged services only" : "rslave, rshared and rprivate are",
      );
    this.#mount(name, target, readOnly, undefined, isRefused ? undefined : known);
  }

  addConfig(mount: ConfigMount): void {
    if ((mount.uid ?? 0) !== 0 || (mount.gid ?? 0) !== 0)
      this.#context.note(
        "configs",
        `${mount.target} belongs to root, not to ${mount.uid ?? 0}:${mount.gid ?? 0}: a ConfigMap has no owner`,
        "make it readable for all, or for a group of group_add",
      );
    const key = configKey(mount);
    const map = configMapName(mount);
    const name = this.#volume(`config ${map} ${mount.mode}`, map, (own) => ({
      name: own,
      configMap: { name: map, items: [{ key, path: key, mode: mount.mode & 0o777 }] },
    }));
    this.#mount(name, mount.target, true, key);
  }

  addTmpfs({ target, sizeBytes, mode }: TmpfsMount): void {
    if (mode !== undefined && !OPEN_MODES.has(mode))
      this.#context.note(
        "tmpfs",
        `${target}: mode ${mode.toString(8)} is not carried over: everyone in the pod may write`,
        "change it when the container starts",
      );
    this.#memory(target, sizeBytes);
  }

  /** shm_size, unless something is mounted there already. */
  addShm(): void {
    const { runtime, mounts } = this.#context.spec.template.container;
    if (runtime.shmSizeBytes === undefined) return;
    if (mounts.some(({ target }) => target === SHM))
      this.#context.note("shm_size", `${SHM} is mounted already`, "give that mount the size");
    else this.#memory(SHM, runtime.shmSizeBytes);
  }

  #memory(target: string, sizeBytes: number | undefined): void {
    const sizeLimit = sizeBytes === undefined || sizeBytes <= 0 ? undefined : byteQuantity(sizeBytes);
    const wish = target === SHM ? "shm" : `tmp-${target}`;
    const name = this.#volume(`tmpfs ${target}`, wish, (own) => ({
      name: own,
      emptyDir: { medium: "Memory", sizeLimit },
    }));
    this.#mount(name, target, false);
  }

  #mount(name: string, mountPath: string, readOnly: boolean, subPath?: string, mountPropagation?: string): void {
    this.#volumeMounts.push({ name, mountPath, readOnly: readOnly || undefined, subPath, mountPropagation });
  }
}

const PROPAGATIONS: Readonly<Record<string, string>> = {
  private: "None",
  rprivate: "None",
  rslave: "HostToContainer",
  rshared: "Bidirectional",
};

/** A missing source is made as a directory, which a socket or a file must not meet. */
function hostPathType({ source, createSource }: BindMount): string | undefined {
  if (source.endsWith(".sock")) return "Socket";
  if (FILES.test(source) || FILE_ENDING.test(source)) return "File";
  if (source.startsWith("/dev/")) return undefined;
  if (DIRECTORIES.has(source)) return "Directory";
  return createSource === true ? "DirectoryOrCreate" : "Directory";
}
