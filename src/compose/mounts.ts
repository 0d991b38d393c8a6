// Volumes of a service, short and long syntax, and tmpfs, to mounts. A relative path is the user's disk and not the node's, so it is
// refused with the way out. Pure.

import type { Mount } from "../core/model/service-spec.ts";
import type { ComposeNode, MapNode } from "./node.ts";
import { get, type Reader } from "./reader.ts";
import { parseBytes } from "./values.ts";

/** `nameOf`: the full name of a declared volume; undefined if the file does not declare it. */
export function readMounts(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  nameOf: (key: string) => string | undefined,
): readonly Mount[] {
  return reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    const mount = item.kind === "map" ? readLong(reader, item, where, nameOf) : readShort(reader, item, where, nameOf);
    return mount ?? [];
  });
}

function readShort(
  reader: Reader,
  node: ComposeNode,
  path: string,
  nameOf: (key: string) => string | undefined,
): Mount | undefined {
  const text = reader.text(node, path) ?? "";
  const parts = text.split(":");
  if (parts.length > 3)
    return reader.problem(
      node.at,
      path,
      `'${text}' is not a mount: write name:/path or /host/path:/path, with :ro for read-only`,
    );
  const [source = "", target, mode = ""] = parts;
  const readOnly = mode.split(",").includes("ro");
  for (const option of mode.split(",")) {
    if (!["", "ro", "rw", "z", "Z", "nocopy"].includes(option))
      return reader.problem(node.at, path, `'${option}' is not an option of a mount (ro, rw)`);
  }
  if (target === undefined)
    return reader.problem(
      node.at,
      path,
      `'${text}' is an anonymous volume: name it, since its data would be lost with the task`,
    );
  if (!target.startsWith("/"))
    return reader.problem(node.at, path, `'${target}' is not an absolute path inside the container`);
  return mountOf(reader, node, path, { source, target, readOnly }, nameOf);
}

function mountOf(
  reader: Reader,
  node: ComposeNode,
  path: string,
  mount: { readonly source: string; readonly target: string; readonly readOnly: boolean },
  nameOf: (key: string) => string | undefined,
): Mount | undefined {
  const { source, target, readOnly } = mount;
  if (source.startsWith("/")) return { kind: "bind", source, target, readOnly };
  if (/^(\.|~)/.test(source)) {
    return reader.problem(
      node.at,
      path,
      `'${source}' is a path on this machine, not on the nodes: put the files into the image, or give an absolute path of the node`,
    );
  }
  const volume = nameOf(source);
  if (volume === undefined)
    return reader.problem(node.at, path, `volume '${source}' is not declared under volumes: at the top level`);
  return { kind: "volume", volume, target, readOnly };
}

function readLong(
  reader: Reader,
  map: MapNode,
  path: string,
  nameOf: (key: string) => string | undefined,
): Mount | undefined {
  reader.only(map, path, ["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency"]);
  const type = reader.word(get(map, "type"), `${path}.type`, ["volume", "bind", "tmpfs"]);
  const target = reader.text(get(map, "target"), `${path}.target`);
  const source = reader.text(get(map, "source"), `${path}.source`) ?? "";
  const readOnly = reader.bool(get(map, "read_only"), `${path}.read_only`) ?? false;
  if (type === undefined)
    return get(map, "type") === undefined
      ? reader.problem(map.at, path, "lacks type: volume, bind or tmpfs")
      : undefined;
  if (target === undefined || !target.startsWith("/"))
    return reader.problem(map.at, path, "lacks target, an absolute path inside the container");
  const options = reader.map(get(map, type), `${path}.${type}`);
  if (options !== undefined)
    reader.only(
      options,
      `${path}.${type}`,
      type === "tmpfs" ? ["size", "mode"] : type === "bind" ? ["create_host_path"] : ["nocopy"],
    );
  if (type === "tmpfs") {
    const sizeBytes = reader.bytes(get(options, "size"), `${path}.tmpfs.size`);
    const mode = reader.number(get(options, "mode"), `${path}.tmpfs.mode`, { min: 0, max: 0o7777, whole: true });
    return {
      kind: "tmpfs",
      target,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(mode === undefined ? {} : { mode }),
    };
  }
  if (type === "bind" && !source.startsWith("/"))
    return mountOf(reader, map, path, { source: `./${source}`, target, readOnly }, nameOf);
  if (source === "")
    return reader.problem(
      map.at,
      path,
      "lacks source: name the volume, since the data of a nameless one would be lost with the task",
    );
  return mountOf(reader, map, path, { source, target, readOnly }, nameOf);
}

/** "/run", "/tmp:size=64m,mode=1777". */
export function readTmpfs(reader: Reader, node: ComposeNode | undefined, path: string): readonly Mount[] {
  return reader.texts(node, path).flatMap((text): readonly Mount[] => {
    const [target = "", options = ""] = text.split(":");
    if (!target.startsWith("/")) {
      if (node !== undefined) reader.problem(node.at, path, `'${text}' is not an absolute path inside the container`);
      return [];
    }
    const given = new Map(options.split(",").map((option) => [option.split("=")[0] ?? "", option.split("=")[1] ?? ""]));
    const sizeBytes = parseBytes(given.get("size") ?? "");
    const mode = Number.parseInt(given.get("mode") ?? "", 8);
    return [
      {
        kind: "tmpfs",
        target,
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
        ...(Number.isNaN(mode) ? {} : { mode }),
      },
    ];
  });
}
