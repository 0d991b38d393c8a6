// One table of the kernel's packet filter as data: named sets and maps with their elements, named chains with their rules. It is rendered
// whole, for a table that is made or replaced, or as the difference to the one that is in force. Either text is one transaction. Pure.

/** Sets and maps: `elements` by key, the value of a set's element being "". */
export type NamedSet = { readonly type: string; readonly elements: ReadonlyMap<string, string> };
/** `hook` of a base chain: `type filter hook forward priority -10; policy accept;`. */
export type Chain = { readonly hook?: string; readonly rules: readonly string[] };
export type Ruleset = {
  /** Family and name, `ip davit`. */
  readonly table: string;
  readonly sets: ReadonlyMap<string, NamedSet>;
  readonly chains: ReadonlyMap<string, Chain>;
};

/** A set or map is a map exactly if its type names what it maps to. */
function kindOf(set: NamedSet): "map" | "set" {
  return set.type.includes(" : ") ? "map" : "set";
}

function renderElements(elements: Iterable<readonly [string, string]>, separator: string): string {
  return [...elements].map(([key, value]) => (value === "" ? key : `${key} : ${value}`)).join(separator);
}

/** The text that makes this table, and nothing else, whatever is there under its name. */
export function renderRuleset(ruleset: Ruleset): string {
  const lines = [`table ${ruleset.table}`, `delete table ${ruleset.table}`, `table ${ruleset.table} {`];
  for (const [name, set] of ruleset.sets) {
    const elements = set.elements.size === 0 ? "" : `\n    elements = { ${renderElements(set.elements, ",\n      ")} }`;
    lines.push(`  ${kindOf(set)} ${name} {\n    type ${set.type}${elements}\n  }`);
  }
  for (const [name, chain] of ruleset.chains) {
    const body = [...(chain.hook === undefined ? [] : [chain.hook]), ...chain.rules];
    lines.push(`  chain ${name} {${body.map((line) => `\n    ${line}`).join("")}\n  }`);
  }
  return `${lines.join("\n")}\n}\n`;
}

/** The text that turns `old` into `next`; empty when they are the same, undefined when only a replacement of the whole will do. */
export function renderDifference(old: Ruleset, next: Ruleset): string | undefined {
  if (old.table !== next.table || !canBeChanged(old, next)) return undefined;
  const { table } = next;
  const lines: string[] = [];
  for (const [name, set] of next.sets) {
    if (!old.sets.has(name)) lines.push(`add ${kindOf(set)} ${table} ${name} { type ${set.type}; }`);
  }
  for (const name of next.chains.keys()) if (!old.chains.has(name)) lines.push(`add chain ${table} ${name}`);
  for (const [name, chain] of next.chains) lines.push(...chainChanges(table, name, old.chains.get(name), chain));
  for (const [name, set] of next.sets) lines.push(...elementChanges(table, name, old.sets.get(name), set));
  for (const [name, set] of old.sets) {
    if (!next.sets.has(name) && set.elements.size > 0) lines.push(`flush ${kindOf(set)} ${table} ${name}`);
  }
  const goneChains = [...old.chains.keys()].filter((name) => !next.chains.has(name));
  for (const name of goneChains) lines.push(`flush chain ${table} ${name}`);
  for (const name of goneChains) lines.push(`delete chain ${table} ${name}`);
  for (const [name, set] of old.sets) if (!next.sets.has(name)) lines.push(`delete ${kindOf(set)} ${table} ${name}`);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** Hooks and types are given to a chain or a set when it is made. */
function canBeChanged(old: Ruleset, next: Ruleset): boolean {
  const hooks = new Set(
    [...old.chains, ...next.chains].flatMap(([name, chain]) => (chain.hook === undefined ? [] : [name])),
  );
  return (
    [...hooks].every((name) => old.chains.get(name)?.hook === next.chains.get(name)?.hook) &&
    [...next.sets].every(([name, set]) => (old.sets.get(name)?.type ?? set.type) === set.type)
  );
}

function chainChanges(table: string, name: string, old: Chain | undefined, next: Chain): readonly string[] {
  // nearly all are: nothing is made for those
  if (old?.rules.length === next.rules.length && old.rules.every((rule, at) => rule === next.rules[at])) return [];
  const rules = next.rules.map((rule) => `add rule ${table} ${name} ${rule}`);
  return old === undefined ? rules : [`flush chain ${table} ${name}`, ...rules];
}

function elementChanges(table: string, name: string, old: NamedSet | undefined, next: NamedSet): readonly string[] {
  const before = old?.elements ?? new Map<string, string>();
  const gone = [...before].filter(([key, value]) => next.elements.get(key) !== value);
  const added = [...next.elements].filter(([key, value]) => before.get(key) !== value);
  const lines: string[] = [];
  if (gone.length > 0) lines.push(`delete element ${table} ${name} { ${gone.map(([key]) => key).join(", ")} }`);
  if (added.length > 0) lines.push(`add element ${table} ${name} { ${renderElements(added, ", ")} }`);
  return lines;
}
