// Networks: those of the file, and what a service joins. Pure.

import type { ContainerSpec, NetworkAttachment, NetworkSpec } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode, written } from "../tree/node.ts";
import { isExternal } from "./external.ts";
import { named, type Reader } from "./reader.ts";

/** The file's networks by their keys, with the default one. */
export function readNetworks(reader: Reader, root: MapNode, stack: string): ReadonlyMap<string, NetworkSpec> {
  const networks = new Map<string, NetworkSpec>([
    ["default", { name: `${stack}_default`, stack, driver: "davit", internal: false, labels: {}, external: false }],
  ]);
  for (const [key, { keyAt, node }] of named(reader.map(get(root, "networks"), "networks"))) {
    const path = `networks.${key}`;
    const map = reader.section(node, path, "networks.*");
    const { external, name } = isExternal(reader, map, path);
    const driver = reader.text(get(map, "driver"), `${path}.driver`) ?? "davit";
    if (!["davit", "overlay", "bridge", "default", ""].includes(driver))
      reader.problem(keyAt, `${path}.driver`, `'${driver}' is not supported yet: leave it out for davit's own network`);
    networks.set(key, {
      name: name ?? (external ? key : `${stack}_${key}`),
      stack,
      driver: "davit",
      internal: reader.bool(get(map, "internal"), `${path}.internal`) ?? false,
      labels: reader.textMap(get(map, "labels"), `${path}.labels`),
      external,
    });
  }
  return networks;
}

/** `networks:` of a service; the default network without it. `nameOf`: a declared network's full name; `known`: all keys. */
export function readAttachments(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  nameOf: (key: string) => string | undefined,
  known: () => Iterable<string>,
): readonly NetworkAttachment[] {
  if (node === undefined || written(node) === undefined) return attachment(nameOf("default"), []);
  const keys =
    node.kind === "map"
      ? [...node.entries].map(([key, entry]) => ({ key, at: entry.keyAt, value: entry.node }))
      : reader.list(node, path).map((item) => ({ key: reader.text(item, path) ?? "", at: item.at, value: undefined }));
  const attached = keys.flatMap(({ key, at, value }) => {
    const name = nameOf(key);
    if (name === undefined)
      return (
        reader.problem(
          at,
          path,
          `network '${key}' is not declared under networks: at the top level${reader.near(key, known())}`,
        ) ?? []
      );
    const map = reader.section(value, `${path}.${key}`, "services.*.networks.*");
    return attachment(name, reader.texts(get(map, "aliases"), `${path}.${key}.aliases`));
  });
  return attached.sort((a, b) => (a.network < b.network ? -1 : 1));
}

function attachment(network: string | undefined, aliases: readonly string[]): NetworkAttachment[] {
  return network === undefined ? [] : [{ network, aliases: [...new Set(aliases)].sort() }];
}

/** `network_mode:` of a service; undefined for an address of its own on the node's bridge. */
export function readNetworkMode(reader: Reader, service: MapNode, path: string): ContainerSpec["networkMode"] {
  const node = get(service, "network_mode");
  const text = reader.text(node, `${path}.network_mode`);
  if (node === undefined || text === undefined) return undefined;
  if (/^(service|container):/.test(text))
    return reader.problem(
      node.at,
      `${path}.network_mode`,
      `'${text}' is not supported: tasks of two services need not run on one node`,
    );
  const mode = reader.word(node, `${path}.network_mode`, ["host", "none", "bridge", "default"]);
  if (mode === undefined || mode === "bridge" || mode === "default") return undefined;
  for (const key of ["ports", "networks"])
    if (written(get(service, key)) !== undefined)
      reader.problem(
        service.entries.get(key)?.keyAt ?? node.at,
        `${path}.${key}`,
        `does not go with network_mode: ${mode}${key === "ports" && mode === "host" ? ", where ports are the node's own" : ""}`,
      );
  return mode;
}
