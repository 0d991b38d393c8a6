// Relative paths of a file that belongs to another directory (an included file, one that is extended), rewritten so that the merged
// file can be read from the project's directory alone. Pure: texts only, the disk is not asked.

import { posix } from "node:path";
import { type ComposeNode, get, type MapNode, textNode, withEntry, written } from "./node.ts";

/** A path that begins at the directory of its file: not absolute, not at home, no address of something remote. */
export function isRelative(path: string): boolean {
  return path !== "" && !path.startsWith("/") && !path.startsWith("~") && !isRemote(path);
}

/** What git, an HTTP server or a registry would be asked for. */
export function isRemote(path: string): boolean {
  return (
    /^[a-z][a-z0-9+.-]*:\/\//i.test(path) || /^[\w.-]+@[\w.-]+:/.test(path) || /^(git|github\.com|oci):/.test(path)
  );
}

/** An absolute path; `home` is what ~ stands for. */
export function absolutePath(path: string, directory: string, home: string | undefined): string {
  if (home !== undefined && (path === "~" || path.startsWith("~/"))) return posix.join(home, path.slice(1));
  return posix.resolve(directory, path);
}

/** `path`, relative to `from`, as a path relative to `to`; always with a dot in front. */
export function rebased(path: string, from: string, to: string): string {
  const relative = posix.relative(to, posix.resolve(from, path));
  return relative.startsWith("..") ? relative : `./${relative}`;
}

/** A whole file of directory `from`, as if it stood in `to`. */
export function rebaseFile(root: MapNode, from: string, to: string): MapNode {
  if (from === to) return root;
  const move = mover(from, to);
  const service = (node: ComposeNode): ComposeNode => rebaseService(node, from, to);
  const file = (node: ComposeNode): ComposeNode => atKey(node, "file", move);
  return each(each(each(root, "services", service), "configs", file), "secrets", file);
}

/** One service of a file of directory `from`, as if it stood in `to`. */
export function rebaseService(node: ComposeNode, from: string, to: string): ComposeNode {
  if (from === to || node.kind !== "map") return node;
  const move = mover(from, to);
  let map: MapNode = node;
  const set = (key: string, change: (value: ComposeNode) => ComposeNode): void => {
    const value = written(get(map, key));
    if (value !== undefined) map = withEntry(map, key, change(value));
  };
  set("env_file", (value) => eachItem(value, (item) => (item.kind === "map" ? atKey(item, "path", move) : move(item))));
  set("label_file", (value) => eachItem(value, move));
  set("volumes", (value) => eachItem(value, (item) => rebaseMount(item, move)));
  set("build", (value) => (value.kind === "map" ? atKey(value, "context", move) : move(value)));
  return map;
}

function rebaseMount(item: ComposeNode, move: (node: ComposeNode) => ComposeNode): ComposeNode {
  if (item.kind === "map") {
    const type = get(item, "type");
    return type?.kind === "scalar" && type.text === "bind" ? atKey(item, "source", move) : item;
  }
  if (item.kind !== "scalar" || !item.text.startsWith(".")) return item;
  const cut = item.text.indexOf(":");
  if (cut === -1) return item;
  const moved = move(textNode(item.text.slice(0, cut), item.at));
  const text = `${moved.kind === "scalar" ? moved.text : ""}${item.text.slice(cut)}`;
  return { ...item, value: text, text };
}

function mover(from: string, to: string): (node: ComposeNode) => ComposeNode {
  return (node) => {
    if (node.kind !== "scalar" || node.value === null || !isRelative(node.text)) return node;
    const text = rebased(node.text, from, to);
    return { ...node, value: text, text };
  };
}

function each(root: MapNode, key: string, change: (node: ComposeNode) => ComposeNode): MapNode {
  const map = get(root, key);
  if (map?.kind !== "map") return root;
  const entries = new Map([...map.entries].map(([name, entry]) => [name, { ...entry, node: change(entry.node) }]));
  return withEntry(root, key, { ...map, entries });
}

function eachItem(node: ComposeNode, change: (item: ComposeNode) => ComposeNode): ComposeNode {
  return node.kind === "list" ? { ...node, items: node.items.map(change) } : change(node);
}

function atKey(node: ComposeNode, key: string, change: (value: ComposeNode) => ComposeNode): ComposeNode {
  const value = node.kind === "map" ? written(get(node, key)) : undefined;
  return node.kind !== "map" || value === undefined ? node : withEntry(node, key, change(value));
}
