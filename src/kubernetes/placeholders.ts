// Placeholders of Swarm's templates, such as {{.Node.Hostname}}, which davit fills in for each task. In variables the kubelets do the same
// for what they know of a pod; the rest is told. Text in other braces is the application's own. Pure.

import { escapeDollars, type Value } from "./manifest.ts";

const PLACEHOLDER = /\{\{\s*\.([A-Za-z.]+)\s*\}\}/g;
const REFERENCE = /\(\{\{\s*\.([A-Za-z.]+)\s*\}\}/g;
/** What a pod's fields hold, and the variable that carries it into longer texts. */
const FIELDS: ReadonlyMap<string, readonly [variable: string, fieldPath: string]> = new Map([
  ["Node.Hostname", ["DAVIT_NODE_HOSTNAME", "spec.nodeName"]],
  ["Task.ID", ["DAVIT_TASK_ID", "metadata.uid"]],
  ["Task.Name", ["DAVIT_TASK_NAME", "metadata.name"]],
]);
const UNKNOWN: ReadonlySet<string> = new Set([
  "Service.ID",
  "Node.ID",
  "Node.Platform.OS",
  "Node.Platform.Architecture",
  "Task.Slot",
]);

export type Filled = {
  /** `value` or `valueFrom` of a variable. */
  readonly source: { readonly [key: string]: Value };
  /** Variables that must stand before it. */
  readonly before: readonly Value[];
  /** Placeholders that nothing fills in. */
  readonly lost: readonly string[];
};

/** Placeholders in a text, known ones only, as they are written. */
export function placeholdersIn(text: string): readonly string[] {
  return [...text.matchAll(PLACEHOLDER)].flatMap(([whole, name = ""]) =>
    FIELDS.has(name) || UNKNOWN.has(name) || name === "Service.Name" ? [whole] : [],
  );
}

/** A variable's value with its placeholders filled in, `serviceName` being the full one. */
export function fillVariable(text: string, serviceName: string): Filled {
  const names = [...text.matchAll(PLACEHOLDER)].map(([whole, name = ""]) => [whole, name] as const);
  const lost = names.flatMap(([whole, name]) => (UNKNOWN.has(name) ? [whole] : []));
  const used = [...FIELDS].flatMap(([name, field]) => (names.some(([, found]) => found === name) ? [field] : []));
  const [only] = used;
  if (only !== undefined && used.length === 1 && names.length === 1 && names[0]?.[0] === text)
    return { source: { valueFrom: fieldRef(only[1]) }, before: [], lost };
  const named = text.replaceAll(PLACEHOLDER, (whole, name: string) => (name === "Service.Name" ? serviceName : whole));
  // a dollar in front of a reference is doubled as one in front of what looks like it
  const value = escapeDollars(
    named.replaceAll(PLACEHOLDER, (whole, name: string) => (FIELDS.has(name) ? `(${whole}` : whole)),
  ).replaceAll(REFERENCE, (whole, name: string) => (FIELDS.has(name) ? `$(${FIELDS.get(name)?.[0]})` : whole));
  return { source: { value }, before: used.map(([name, path]) => ({ name, valueFrom: fieldRef(path) })), lost };
}

function fieldRef(fieldPath: string): Value {
  return { fieldRef: { fieldPath } };
}
