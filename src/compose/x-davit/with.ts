// x-davit.with: each slot of this service goes to the node where the other service's slot of the same number is.

import type { ComposeNode } from "../tree/node.ts";
import type { Reader } from "../spec/reader.ts";

/** Full name of the service to be with. `own`: the full name of the service itself. */
export function readWith(
  reader: Reader,
  node: ComposeNode | undefined,
  path: string,
  own: string,
  fullName: (name: string) => string,
): string | undefined {
  const name = reader.text(node, path);
  if (name === undefined || node === undefined) return undefined;
  const service = fullName(name);
  return service === own ? reader.problem(node.at, path, "names the service itself: name another one") : service;
}
