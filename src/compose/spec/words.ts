// A command line: a list as it stands, a text cut as a shell would. Pure.

import { type ComposeNode, written } from "../tree/node.ts";
import type { Reader } from "./reader.ts";
import { splitWords } from "./values.ts";

/** Undefined when nothing is written there; an empty list means that the image's own is taken away. */
export function readWords(reader: Reader, node: ComposeNode | undefined, path: string): readonly string[] | undefined {
  if (node === undefined || written(node) === undefined) return undefined;
  if (node.kind !== "scalar") return reader.texts(node, path);
  return splitWords(node.text) ?? reader.problem(node.at, path, "a quote does not end");
}
