// Several files into one, by the Compose specification (chapter 13), and a service onto the one that it extends (chapter 5): mappings
// merge, lists append, commands replace, and some lists are keyed by what makes two items the same one. Pure.

import { type ComposeNode, get, type ListNode, type MapEntry, type MapNode, meaning, textNode } from "./node.ts";
import { parsePortText } from "./port-text.ts";

type Rule =
  /** The later value stands. */
  | { readonly kind: "replace" }
  /** A mapping, or a list of NAME=value: merged by name whichever form they are in. */
  | { readonly kind: "named"; readonly separator: RegExp }
  /** A text or a list of texts; each text once. */
  | { readonly kind: "texts" }
  /** A list in which an item takes the place of an earlier one with the same key. */
  | { readonly kind: "keyed"; readonly keyOf: (item: ComposeNode) => string | undefined }
  /** A list in which what means the same stands once. */
  | { readonly kind: "unique" }
  /** A text stands for a mapping with one key: `build: .` is its context. */
  | { readonly kind: "short"; readonly key: string }
  /** A mapping that merges only if its driver stays the same. */
  | { readonly kind: "driver" };

const REPLACE: Rule = { kind: "replace" };
const NAMED: Rule = { kind: "named", separator: /=/ };
const TEXTS: Rule = { kind: "texts" };
const UNIQUE: Rule = { kind: "unique" };
const BY_TARGET: Rule = { kind: "keyed", keyOf: targetOf };
const BY_PATH: Rule = { kind: "keyed", keyOf: (item) => (item.kind === "map" ? textOf(item, "path") : undefined) };
const S = "services.*";

const RULES: Readonly<Record<string, Rule>> = {
  ...rules(REPLACE, S, "command entrypoint healthcheck.test"),
  ...rules(
    NAMED,
    S,
    "environment labels annotations sysctls networks depends_on build.args build.labels deploy.labels",
  ),
  ...rules(NAMED, S, "storage_opt build.additional_contexts build.extra_hosts build.sysctls"),
  ...rules(NAMED, "networks.*", "labels driver_opts"),
  ...rules(NAMED, "volumes.*", "labels driver_opts"),
  "configs.*.labels": NAMED,
  "secrets.*.labels": NAMED,
  [`${S}.extra_hosts`]: { kind: "named", separator: /[=:]/ },
  ...rules(TEXTS, S, "cap_add cap_drop dns dns_opt dns_search device_cgroup_rules expose external_links group_add"),
  ...rules(TEXTS, S, "label_file links profiles security_opt tmpfs networks.*.aliases networks.*.link_local_ips"),
  ...rules(TEXTS, S, "deploy.placement.constraints volumes_from"),
  [`${S}.env_file`]: { kind: "keyed", keyOf: (item) => (item.kind === "map" ? textOf(item, "path") : plainText(item)) },
  [`${S}.ports`]: { kind: "keyed", keyOf: portKey },
  [`${S}.volumes`]: BY_TARGET,
  [`${S}.devices`]: BY_TARGET,
  [`${S}.configs`]: { kind: "keyed", keyOf: (item) => sourceTarget(item, "/") },
  [`${S}.secrets`]: { kind: "keyed", keyOf: (item) => sourceTarget(item, "/run/secrets/") },
  ...rules(
    BY_PATH,
    `${S}.blkio_config`,
    "weight_device device_read_bps device_read_iops device_write_bps device_write_iops",
  ),
  ...rules(UNIQUE, `${S}.deploy`, "placement.preferences resources.reservations.generic_resources"),
  [`${S}.build`]: { kind: "short", key: "context" },
  [`${S}.logging`]: { kind: "driver" },
};

function rules(rule: Rule, parent: string, names: string): Readonly<Record<string, Rule>> {
  return Object.fromEntries(names.split(" ").map((name) => [`${parent}.${name}`, rule]));
}

/** Mappings whose keys are names that the user chooses. */
const NAMES = new Set(["services", "networks", "volumes", "configs", "secrets", `${S}.networks`, `${S}.depends_on`]);

/** The later file's values win. `pattern`: where both stand, with * for names: "", "services.*". */
export function mergeNodes(base: ComposeNode, over: ComposeNode, pattern = ""): ComposeNode {
  if (over.tag === "override") return cleaned(over);
  if (over.kind === "scalar" && over.value === null) return base;
  const rule = RULES[pattern];
  switch (rule?.kind) {
    case "replace":
      return over;
    case "named": {
      const [left, right] = [asMap(base, rule.separator), asMap(over, rule.separator)];
      return left === undefined || right === undefined ? over : mergeMaps(left, right, pattern);
    }
    case "texts":
      return mergeLists(asList(base), asList(over), plainText, pattern);
    case "keyed":
      return mergeLists(asList(base), asList(over), rule.keyOf, pattern);
    case "unique":
      return mergeLists(asList(base), asList(over), meaning, pattern);
    case "short":
      return mergePlain(asLong(base, rule.key), asLong(over, rule.key), pattern);
    case "driver":
      return isSameDriver(base, over) ? mergePlain(base, over, pattern) : over;
    default:
      return mergePlain(base, over, pattern);
  }
}

function mergePlain(base: ComposeNode, over: ComposeNode, pattern: string): ComposeNode {
  if (base.kind === "map" && over.kind === "map") return mergeMaps(base, over, pattern);
  if (base.kind === "list" && over.kind === "list")
    return { ...base, items: [...base.items, ...over.items.map(cleaned)] };
  return over;
}

function mergeMaps(base: MapNode, over: MapNode, pattern: string): MapNode {
  const entries = new Map<string, MapEntry>(base.entries);
  for (const [key, entry] of over.entries) {
    const known = entries.get(key);
    if (entry.node.tag === "reset") entries.delete(key);
    else if (known === undefined) entries.set(key, { ...entry, node: cleaned(entry.node) });
    else entries.set(key, { keyAt: entry.keyAt, node: mergeNodes(known.node, entry.node, below(pattern, key)) });
  }
  return { ...base, entries };
}

function below(pattern: string, key: string): string {
  if (pattern === "") return key;
  return NAMES.has(pattern) ? `${pattern}.*` : `${pattern}.${key}`;
}

function mergeLists(
  base: ListNode,
  over: ListNode,
  keyOf: (item: ComposeNode) => string | undefined,
  pattern: string,
): ListNode {
  const items = new Map<string, ComposeNode>();
  for (const [at, item] of [...base.items, ...over.items.map(cleaned)].entries()) {
    const key = keyOf(item) ?? `#${at}`;
    const known = items.get(key);
    items.set(key, known?.kind === "map" && item.kind === "map" ? mergeMaps(known, item, pattern) : item);
  }
  return { ...base, items: [...items.values()] };
}

/** Tags have no meaning where there is nothing to merge with. What has none is given back as it is. */
export function cleaned(node: ComposeNode): ComposeNode {
  switch (node.kind) {
    case "scalar":
      return untagged(node);
    case "list": {
      const items = node.items.map(cleaned);
      return untagged(items.every((item, at) => item === node.items[at]) ? node : { ...node, items });
    }
    case "map": {
      const entries = new Map<string, MapEntry>();
      let isChanged = false;
      for (const [key, entry] of node.entries) {
        if (entry.node.tag !== "reset") {
          const child = cleaned(entry.node);
          entries.set(key, child === entry.node ? entry : { ...entry, node: child });
          if (child === entry.node) continue;
        }
        isChanged = true;
      }
      return untagged(isChanged ? { ...node, entries } : node);
    }
  }
}

function untagged<Node extends ComposeNode>(node: Node): Node {
  if (node.tag === undefined) return node;
  const { tag: _tag, ...rest } = node;
  return rest as Node;
}

function asLong(node: ComposeNode, key: string): ComposeNode {
  if (node.kind !== "scalar" || node.value === null) return node;
  return { kind: "map", at: node.at, entries: new Map([[key, { keyAt: node.at, node }]]) };
}

function asList(node: ComposeNode): ListNode {
  if (node.kind === "list") return node;
  const items = node.kind === "scalar" && node.value === null ? [] : [node];
  return { kind: "list", at: node.at, items };
}

/** ["A=1", "B"] as {A: 1, B: null}. Undefined for what is neither. */
function asMap(node: ComposeNode, separator: RegExp): MapNode | undefined {
  if (node.kind === "map") return node;
  if (node.kind !== "list") return undefined;
  const entries = new Map<string, MapEntry>();
  for (const item of node.items) {
    if (item.kind !== "scalar") return undefined;
    const cut = item.text.search(separator);
    const key = cut === -1 ? item.text : item.text.slice(0, cut);
    const value =
      cut === -1
        ? ({ kind: "scalar", at: item.at, value: null, text: "" } as const)
        : textNode(item.text.slice(cut + 1), item.at);
    entries.set(key, { keyAt: item.at, node: item.origin === undefined ? value : { ...value, origin: item.origin } });
  }
  return { kind: "map", at: node.at, entries };
}

function isSameDriver(base: ComposeNode, over: ComposeNode): boolean {
  if (base.kind !== "map" || over.kind !== "map") return false;
  const driver = textOf(over, "driver");
  return driver === undefined || driver === textOf(base, "driver");
}

function targetOf(item: ComposeNode): string | undefined {
  if (item.kind === "map") return textOf(item, "target") ?? textOf(item, "source");
  const parts = plainText(item)?.split(":");
  return parts?.[1] ?? parts?.[0];
}

function sourceTarget(item: ComposeNode, folder: string): string | undefined {
  const target = item.kind === "map" ? (textOf(item, "target") ?? textOf(item, "source")) : plainText(item);
  return target === undefined || target.startsWith("/") ? target : `${folder}${target}`;
}

function portKey(item: ComposeNode): string | undefined {
  if (item.kind === "map")
    return [
      textOf(item, "host_ip") ?? "",
      textOf(item, "published") ?? "",
      textOf(item, "target"),
      textOf(item, "protocol") ?? "tcp",
    ].join("|");
  const parsed = parsePortText(plainText(item) ?? "");
  return parsed === undefined
    ? plainText(item)
    : [parsed.hostIp ?? "", parsed.published, parsed.target, parsed.protocol].join("|");
}

function plainText(item: ComposeNode): string | undefined {
  return item.kind === "scalar" ? item.text : undefined;
}

function textOf(map: MapNode, key: string): string | undefined {
  const node = get(map, key);
  return node?.kind === "scalar" && node.value !== null ? node.text : undefined;
}
