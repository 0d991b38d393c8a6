// x-davit.balance: how new connections to the service's address choose one of its tasks.

import type { ReachSpec } from "../../core/model/service-spec.ts";
import type { Reader } from "../spec/reader.ts";
import type { ComposeNode } from "../tree/node.ts";

export function readBalance(reader: Reader, node: ComposeNode | undefined, path: string): Pick<ReachSpec, "balance"> {
  return reader.word(node, path, ["random", "client"]) === "client" ? { balance: "client" } : {};
}
