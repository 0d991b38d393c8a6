// The merged file as YAML again, for `davit stack config`: every variable filled in, and loading it gives the same stack; with
// `explained`, each value says where it came from. Pure.

import { Document, type Node, Pair, Scalar, stringify, YAMLMap, YAMLSeq } from "yaml";
import {
  type ComposeNode,
  get,
  type MapNode,
  type Origin,
  type Place,
  textNode,
  withEntry,
  written,
} from "./tree/node.ts";

const MAX_WRITTEN = 60;

/** YAML of a merged file. `name`: the stack's, in case the file has none. */
export function renderCompose(merged: MapNode, name: string): string {
  return stringify(plain(withName(merged, name)), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The same with a comment at each value: "compose.yaml:4 ${TAG:-v1} (TAG from .env)". */
export function renderExplained(merged: MapNode, name: string): string {
  const document = new Document();
  document.contents = commented(withName(merged, name)) as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}

function withName(merged: MapNode, name: string): MapNode {
  return written(get(merged, "name")) === undefined ? withEntry(merged, "name", textNode(name, merged.at)) : merged;
}

function plain(node: ComposeNode): unknown {
  switch (node.kind) {
    case "scalar":
      return valueOf(node.value, node.text);
    case "list":
      return node.items.map(plain);
    case "map":
      return Object.fromEntries([...node.entries].map(([key, { node: value }]) => [key, plain(value)]));
  }
}

/** A dollar is doubled, since loading it again would read a variable; 1.10 and 012 stay what they are as texts. */
function valueOf(value: string | number | boolean | null, text: string): string | number | boolean | null {
  if (typeof value === "string") return value.replaceAll("$", "$$$$");
  return value === null || String(value) === text ? value : text;
}

function commented(node: ComposeNode): Node {
  switch (node.kind) {
    case "scalar": {
      const scalar = new Scalar(valueOf(node.value, node.text));
      scalar.comment = ` ${explain(node.at, node.origin)}`;
      return scalar;
    }
    case "list": {
      const list = new YAMLSeq();
      list.items = node.items.map(commented);
      if (list.items.length === 0) list.comment = ` ${explain(node.at)}`;
      return list;
    }
    case "map": {
      const map = new YAMLMap();
      for (const [key, entry] of node.entries) map.items.push(new Pair(new Scalar(key), commented(entry.node)));
      if (map.items.length === 0) map.comment = ` ${explain(node.at)}`;
      return map;
    }
  }
}

function explain(at: Place, origin?: Origin): string {
  const place = `${at.file}:${at.line}`;
  if (origin === undefined) return place;
  const text = origin.written.replaceAll(/\s+/g, " ");
  const shown = text.length > MAX_WRITTEN ? `${text.slice(0, MAX_WRITTEN)}…` : text;
  const variables = Object.entries(origin.variables).map(
    ([name, from]) => `${name} ${from === "not set" ? from : `from ${from}`}`,
  );
  return `${place} ${shown}${variables.length === 0 ? "" : ` (${variables.join(", ")})`}`;
}
