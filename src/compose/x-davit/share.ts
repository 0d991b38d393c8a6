// A part of a service's tasks as x-davit writes it: a number of them, or a percentage such as 25%.

import type { Share } from "../../core/model/update-policy.ts";
import type { ComposeNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

const MAX_TASKS = 10_000;

/** `2` or `25%`, at least 1 of either; percentages go up to 100. */
export function readShare(reader: Reader, node: ComposeNode | undefined, path: string): Share | undefined {
  const text = reader.text(node, path);
  if (text === undefined || node === undefined) return undefined;
  const match = /^(\d{1,6})\s*(%?)$/.exec(text);
  if (match === null)
    return reader.problem(node.at, path, `'${text}' is not a number of tasks or a percentage: 2, 25%`);
  const value = Number(match[1]);
  if (match[2] === "%") {
    if (value >= 1 && value <= 100) return { percent: value };
    return reader.problem(node.at, path, `'${text}' is not a percentage from 1% to 100%`);
  }
  if (value >= 1 && value <= MAX_TASKS) return { tasks: value };
  return reader.problem(
    node.at,
    path,
    `'${text}' is not a whole number from 1 to ${MAX_TASKS}, or a percentage such as 25%`,
  );
}
