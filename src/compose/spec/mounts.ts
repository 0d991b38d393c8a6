// Volumes of a service, short and long syntax, and tmpfs, to mounts. A path that is not absolute is the user's disk and not the node's: a
// read-only file there travels as a config, all else is refused with the way out. Pure.

import { posix } from "node:path";
import type { BindMount, Mount, TmpfsMount, VolumeMount } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode } from "../tree/node.ts";
import type { Configs } from "./configs.ts";
import type { Reader } from "./reader.ts";
import { parseBytes } from "./values.ts";

const PATTERN = "services.*.volumes";
const CONSISTENCIES: ReadonlySet<string> = new Set(["cached", "consistent", "delegated"]);
const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"] as const;

export type MountContext = {
  readonly reader: Reader;
  /** The full name of a declared volume; undefined if the file does not declare it. */
  readonly volumeName: (key: string) => string | undefined;
  /** Keys of all declared volumes, for names that are near. */
  readonly volumeKeys: () => Iterable<string>;
  readonly configs: Configs;
};

type Written = {
  readonly source: string;
  /** Written with this machine's ${PWD} or ${HOME}, so that it is no path of a node. */
  readonly isHere: boolean;
  readonly target: string;
  readonly readOnly: boolean;
  readonly noCopy?: boolean;
  readonly subpath?: string;
  readonly createSource?: boolean;
  readonly propagation?: string;
};

/** All mounts of `volumes:`. */
export function readMounts(context: MountContext, node: ComposeNode | undefined, path: string): readonly Mount[] {
  return context.reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    return (item.kind === "map" ? readLong(context, item, where) : readShort(context, item, where)) ?? [];
  });
}

function readShort(context: MountContext, node: ComposeNode, path: string): Mount | undefined {
  const { reader } = context;
  const text = reader.text(node, path) ?? "";
  const [source = "", target, mode = "", ...more] = text.split(":");
  if (more.length > 0)
    return reader.problem(
      node.at,
      path,
      `'${text}' is not a mount: write name:/path or /host/path:/path, with :ro for read-only`,
    );
  const options = mode.split(",").filter((option) => option !== "");
  for (const option of options) {
    if (option === "z" || option === "Z")
      reader.warning(node.at, path, `'${option}' has no effect: label the directory on the nodes`);
    else if (CONSISTENCIES.has(option))
      reader.warning(node.at, path, `'${option}' has no effect: it is for Docker Desktop`);
    else if (!["ro", "rw", "nocopy", ...PROPAGATIONS].includes(option))
      return reader.problem(
        node.at,
        path,
        `'${option}' is not an option of a mount (ro, rw, nocopy, rslave, rshared, …)`,
      );
  }
  if (target === undefined)
    return reader.problem(
      node.at,
      path,
      `'${text}' is an anonymous volume: name it, since its data would be lost with the task`,
    );
  if (source === "")
    return reader.problem(node.at, path, `'${text}' has nothing before the colon: a volume's name, or a path`);
  const propagation = PROPAGATIONS.find((word) => options.includes(word));
  return mountOf(context, node, path, {
    source,
    isHere: isOfThisMachine(node),
    target,
    readOnly: options.includes("ro"),
    createSource: true,
    ...(options.includes("nocopy") ? { noCopy: true } : {}),
    ...(propagation === undefined ? {} : { propagation }),
  });
}

function mountOf(context: MountContext, node: ComposeNode, path: string, mount: Written): Mount | undefined {
  const { reader, volumeName, configs } = context;
  const { source, readOnly } = mount;
  const target = normalTarget(mount.target);
  if (!target.startsWith("/"))
    return reader.problem(node.at, path, `'${target}' is not an absolute path inside the container`);
  if (source.startsWith("/") && !mount.isHere) return bindOf({ ...mount, target });
  if (/^[./~]/.test(source)) return configs.readBind(node.at, path, { source, target, readOnly });
  const volume = volumeName(source);
  if (volume === undefined)
    return reader.problem(
      node.at,
      path,
      `volume '${source}' is not declared under volumes: at the top level${reader.near(source, context.volumeKeys())}`,
    );
  const { noCopy, subpath } = mount;
  return {
    kind: "volume",
    volume,
    target,
    readOnly,
    ...(noCopy === undefined ? {} : { noCopy }),
    ...(subpath === undefined ? {} : { subpath }),
  } satisfies VolumeMount;
}

const FROM_HERE = /^\$(?:PWD|HOME)\b|^\$\{(?:PWD|HOME)\}/;

function isOfThisMachine(node: ComposeNode | undefined): boolean {
  return node?.kind === "scalar" && node.origin !== undefined && FROM_HERE.test(node.origin.written);
}

/** "/data/" is "/data": two mounts there cannot both be. */
function normalTarget(target: string): string {
  return target.startsWith("/") ? posix.resolve(target) : target;
}

function bindOf({ source, target, readOnly, createSource, propagation }: Written): BindMount {
  return {
    kind: "bind",
    source,
    target,
    readOnly,
    ...(createSource === true ? { createSource } : {}),
    ...(propagation === undefined ? {} : { propagation }),
  };
}

function readLong(context: MountContext, map: MapNode, path: string): Mount | undefined {
  const { reader } = context;
  reader.keys(map, path, PATTERN);
  const type = reader.word(get(map, "type"), `${path}.type`, ["volume", "bind", "tmpfs", "image", "cluster", "npipe"]);
  const target = reader.text(get(map, "target"), `${path}.target`);
  if (type === undefined)
    return get(map, "type") === undefined
      ? reader.problem(map.at, path, "lacks type: volume, bind or tmpfs")
      : undefined;
  if (type === "image" || type === "cluster" || type === "npipe")
    return reader.problem(map.at, `${path}.type`, `${type} is not supported: volume, bind and tmpfs are`);
  if (target === undefined || !target.startsWith("/"))
    return reader.problem(map.at, path, "lacks target, an absolute path inside the container");
  for (const other of ["bind", "volume", "tmpfs"])
    if (other !== type && map.entries.has(other))
      reader.warning(
        map.entries.get(other)?.keyAt ?? map.at,
        `${path}.${other}`,
        `has no effect on a mount of type ${type}`,
      );
  const options = reader.section(get(map, type), `${path}.${type}`, `${PATTERN}.${type}`);
  if (type === "tmpfs") return readLongTmpfs(reader, options, path, normalTarget(target));
  const source = reader.text(get(map, "source"), `${path}.source`) ?? "";
  const readOnly = reader.bool(get(map, "read_only"), `${path}.read_only`) ?? false;
  if (source === "")
    return reader.problem(
      map.at,
      path,
      type === "bind"
        ? "lacks source, a path"
        : "lacks source: name the volume, since the data of a nameless one would be lost with the task",
    );
  if (type === "volume") {
    if (/^[./~]/.test(source))
      return reader.problem(map.at, `${path}.source`, `'${source}' is a path: write type: bind`);
    const noCopy = reader.bool(get(options, "nocopy"), `${path}.volume.nocopy`);
    const subpath = reader.text(get(options, "subpath"), `${path}.volume.subpath`);
    return mountOf(context, map, path, {
      source,
      isHere: false,
      target,
      readOnly,
      ...(noCopy === true ? { noCopy } : {}),
      ...(subpath === undefined ? {} : { subpath }),
    });
  }
  const propagation = reader.word(get(options, "propagation"), `${path}.bind.propagation`, PROPAGATIONS);
  return mountOf(context, map, path, {
    source: /^[./~]/.test(source) ? source : `./${source}`,
    isHere: isOfThisMachine(get(map, "source")),
    target,
    readOnly,
    createSource: reader.bool(get(options, "create_host_path"), `${path}.bind.create_host_path`) ?? true,
    ...(propagation === undefined ? {} : { propagation }),
  });
}

function readLongTmpfs(reader: Reader, options: MapNode | undefined, path: string, target: string): TmpfsMount {
  const sizeBytes = reader.bytes(get(options, "size"), `${path}.tmpfs.size`);
  const mode = reader.mode(get(options, "mode"), `${path}.tmpfs.mode`);
  return tmpfsOf(target, sizeBytes, mode);
}

function tmpfsOf(target: string, sizeBytes: number | undefined, mode: number | undefined): TmpfsMount {
  return {
    kind: "tmpfs",
    target,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(mode === undefined ? {} : { mode }),
  };
}

/** "/run", "/tmp:size=64m,mode=1777". */
export function readTmpfs(reader: Reader, node: ComposeNode | undefined, path: string): readonly TmpfsMount[] {
  return reader.texts(node, path).flatMap((text): readonly TmpfsMount[] => {
    const complain = (message: string): readonly TmpfsMount[] =>
      node === undefined ? [] : (reader.problem(node.at, path, message) ?? []);
    const [target = "", options = ""] = text.split(":");
    if (!target.startsWith("/")) return complain(`'${text}' is not an absolute path inside the container`);
    let sizeBytes: number | undefined;
    let mode: number | undefined;
    for (const option of options.split(",").filter((word) => word !== "")) {
      const [name = "", value = ""] = option.split("=");
      if (name === "size") sizeBytes = parseBytes(value);
      else if (name === "mode") mode = /^[0-7]{1,4}$/.test(value) ? Number.parseInt(value, 8) : undefined;
      // the engine's own defaults for a tmpfs
      else if (["rw", "noexec", "nosuid", "nodev"].includes(name)) continue;
      else return complain(`'${option}' is not supported for a tmpfs: size and mode are`);
      if ((name === "size" ? sizeBytes : mode) === undefined) return complain(`'${option}' cannot be read`);
    }
    return [tmpfsOf(normalTarget(target), sizeBytes, mode)];
  });
}
