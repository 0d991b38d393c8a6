// Several files into one, by the Compose specification (chapter 13): mappings merge, lists append, commands replace, and some lists are
// keyed: ports by what they publish, mounts by their target, environment and labels by name whichever form they are in. Pure.

import type { ComposeNode, ListNode, MapEntry, MapNode, ScalarNode } from "./node.ts";

/** Lists and mappings that say the same in two forms: merged as mappings. The last part of the path decides. */
const NAMED = new Set([
  "environment",
  "labels",
  "annotations",
  "sysctls",
  "args",
  "extra_hosts",
  "networks",
  "depends_on",
  "driver_opts",
  "options",
]);
/** Replaced as a whole. */
const REPLACED = /^services\.[^.]+\.(command|entrypoint|healthcheck\.test)$/;

/** The later file's values win. */
export function mergeNodes(base: ComposeNode, over: ComposeNode, path = ""): ComposeNode {
  if (over.tag === "override") return untagged(over);
  if (over.kind === "scalar" && over.value === null) return base;
  if (REPLACED.test(path)) return over;
  const name = path.slice(path.lastIndexOf(".") + 1);
  if (NAMED.has(name) && isService(path)) {
    const [left, right] = [asMap(base, name), asMap(over, name)];
    if (left !== undefined && right !== undefined) return mergeMaps(left, right, path);
  }
  if (base.kind === "map" && over.kind === "map") return mergeMaps(base, over, path);
  if (base.kind === "list" && over.kind === "list") return mergeLists(base, over, name);
  return over;
}

function isService(path: string): boolean {
  return path.startsWith("services.") || path.startsWith("volumes.") || path.startsWith("networks.");
}

function untagged(node: ComposeNode): ComposeNode {
  const { tag: _tag, ...rest } = node;
  return rest;
}

function mergeMaps(base: MapNode, over: MapNode, path: string): MapNode {
  const entries = new Map<string, MapEntry>(base.entries);
  for (const [key, entry] of over.entries) {
    const known = entries.get(key);
    if (entry.node.tag === "reset") entries.delete(key);
    else if (known === undefined) entries.set(key, { ...entry, node: cleaned(entry.node) });
    else
      entries.set(key, {
        keyAt: entry.keyAt,
        node: mergeNodes(known.node, entry.node, path === "" ? key : `${path}.${key}`),
      });
  }
  return { ...base, entries };
}

/** Tags have no meaning where there is nothing to merge with. */
export function cleaned(node: ComposeNode): ComposeNode {
  if (node.kind === "scalar") return untagged(node);
  if (node.kind === "list") return untagged({ ...node, items: node.items.map(cleaned) });
  const kept = [...node.entries].filter(([, entry]) => entry.node.tag !== "reset");
  return untagged({
    ...node,
    entries: new Map(kept.map(([key, entry]) => [key, { ...entry, node: cleaned(entry.node) }])),
  });
}

function mergeLists(base: ListNode, over: ListNode, name: string): ListNode {
  const keyOf = KEYED[name];
  if (keyOf === undefined) return { ...base, items: [...base.items, ...over.items] };
  const items = new Map<string, ComposeNode>();
  for (const [at, item] of [...base.items, ...over.items].entries()) items.set(keyOf(item) ?? `#${at}`, item);
  return { ...base, items: [...items.values()] };
}

/** What makes two items of a list the same one. */
const KEYED: Readonly<Record<string, (item: ComposeNode) => string | undefined>> = {
  ports: (item) =>
    item.kind === "map"
      ? ["host_ip", "target", "published", "protocol"].map((key) => textOf(item, key) ?? "").join("|")
      : item.kind === "scalar"
        ? item.text
        : undefined,
  volumes: (item) =>
    item.kind === "map" ? textOf(item, "target") : item.kind === "scalar" ? targetOf(item.text) : undefined,
  devices: (item) =>
    item.kind === "map" ? textOf(item, "target") : item.kind === "scalar" ? targetOf(item.text) : undefined,
  expose: (item) => (item.kind === "scalar" ? item.text : undefined),
  dns: (item) => (item.kind === "scalar" ? item.text : undefined),
  dns_search: (item) => (item.kind === "scalar" ? item.text : undefined),
  cap_add: (item) => (item.kind === "scalar" ? item.text : undefined),
  cap_drop: (item) => (item.kind === "scalar" ? item.text : undefined),
  env_file: (item) => (item.kind === "map" ? textOf(item, "path") : item.kind === "scalar" ? item.text : undefined),
};

function targetOf(short: string): string {
  const parts = short.split(":");
  return parts.length === 1 ? (parts[0] ?? "") : (parts[1] ?? "");
}

function textOf(map: MapNode, key: string): string | undefined {
  const node = map.entries.get(key)?.node;
  return node?.kind === "scalar" ? node.text : undefined;
}

/** ["A=1", "B"] as {A: 1, B: null}; networks and depends_on as {name: null}. */
function asMap(node: ComposeNode, name: string): MapNode | undefined {
  if (node.kind === "map") return node;
  if (node.kind !== "list") return undefined;
  const separator = name === "extra_hosts" ? /[=:]/ : /=/;
  const entries = new Map<string, MapEntry>();
  for (const item of node.items) {
    if (item.kind !== "scalar") return undefined;
    const at = item.text.search(separator);
    const key = at === -1 ? item.text : item.text.slice(0, at);
    const value: ScalarNode =
      at === -1 ? { kind: "scalar", at: item.at, value: null, text: "" } : textNode(item, item.text.slice(at + 1));
    entries.set(key, { keyAt: item.at, node: value });
  }
  return { kind: "map", at: node.at, entries };
}

function textNode(like: ScalarNode, text: string): ScalarNode {
  return { kind: "scalar", at: like.at, value: text, text };
}
