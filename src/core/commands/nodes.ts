// Commands on nodes: what a user may change, the statement that a node is dead, its removal. A node that was confirmed dead counts again
// only when it is set active by name: what it ran has been replaced elsewhere by then. Pure.

import { DavitError } from "../model/errors.ts";
import type { NodeId } from "../model/ids.ts";
import { type MeshEndpoint, meshEndpointProblem } from "../model/mesh-endpoint.ts";
import type { Node } from "../model/records.ts";
import type { NodePatch } from "../model/views.ts";
import { type Command, unchanged } from "./command.ts";
import { checkIndex, Draft, type Unindexed } from "./draft.ts";
import { resolveRef } from "./resolve.ts";
import { isSame } from "./same.ts";
import { merged } from "./services.ts";

/** A name is used in task names and on command lines. */
const NODE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}$/;
/** Label keys as the engine and placement constraints take them. */
const LABEL_KEY = /^[a-zA-Z0-9][a-zA-Z0-9_./-]{0,127}$/;
const MAX_LABEL_VALUE = 1_024;
/** Names of generic resources: `gpu`, `NVIDIA-GPU`. */
const GENERIC_ID = /^[a-zA-Z0-9_./:=@+-]{1,128}$/;
const GENERIC_KIND = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** Changes name, availability, labels or address; availability `active` also takes back `confirm-dead`. */
export function updateNode(input: {
  readonly ref: string;
  readonly patch: NodePatch;
  readonly ifMatch?: number | undefined;
}): Command<Node> {
  return (state, { nowMs }) => {
    const node = resolveRef("node", state.node.values(), input.ref);
    checkIndex(node.name, node, input.ifMatch);
    const { patch } = input;
    checkPatch(node, patch, [...state.node.values()]);
    const { confirmedDeadAtMs, index: _index, drainUntilMs, generic: _generic, meshEndpoint, ...rest } = node;
    const untilMs = patch.drainDeadlineMs === undefined ? undefined : nowMs + patch.drainDeadlineMs;
    // a new word on availability is a new word on the deadline
    const drainsUntilMs = patch.availability === undefined ? drainUntilMs : untilMs;
    const generic = genericAfter(node, patch);
    const isStillDead = confirmedDeadAtMs !== undefined && patch.availability !== "active";
    const next: Unindexed<"node"> = {
      ...rest,
      name: patch.name ?? node.name,
      availability: patch.availability ?? node.availability,
      labels: merged(node.labels, patch.labels),
      address: patch.address ?? node.address,
      ...endpointAfter(meshEndpoint, patch),
      ...(isStillDead ? { confirmedDeadAtMs } : {}),
      ...(drainsUntilMs === undefined ? {} : { drainUntilMs: drainsUntilMs }),
      ...(generic === undefined ? {} : { generic }),
    };
    const { index: _before, ...before } = node;
    if (isSame(before, next)) return unchanged(node);
    const draft = new Draft();
    const record = draft.replace("node", node, next);
    draft.event(nodeEvent("node.updated", record, describe(node, record, nowMs)));
    return draft.finish(record);
  };
}

function endpointAfter(
  before: MeshEndpoint | undefined,
  { meshEndpoint = before }: NodePatch,
): { readonly meshEndpoint?: MeshEndpoint } {
  return meshEndpoint === undefined || meshEndpoint === null ? {} : { meshEndpoint };
}

/** States that a node will not come back: its tasks are replaced at once, even those that wait for its data. Throws `conflict` for a node in contact. */
export function confirmDead(input: { readonly ref: string; readonly isInContact: boolean }): Command<Node> {
  return (state, { nowMs }) => {
    const node = resolveRef("node", state.node.values(), input.ref);
    if (node.confirmedDeadAtMs !== undefined) return unchanged(node);
    if (input.isInContact) {
      throw new DavitError("conflict", `confirm ${node.name} dead: it is in contact`, {
        wayOut: `to empty it: davit node drain ${node.name}`,
      });
    }
    const draft = new Draft();
    const record = draft.replace("node", node, { ...node, confirmedDeadAtMs: nowMs });
    draft.event(nodeEvent("node.confirmed_dead", record, "its tasks are replaced at once"));
    return draft.finish(record);
  };
}

/** Takes a node's records away. Its tasks are replaced; volumes whose only data was there may be made anew elsewhere. */
export function removeNode(id: NodeId): Command<Node> {
  return (state) => {
    const node = resolveRef("node", state.node.values(), id);
    const draft = new Draft();
    draft.remove("node", node);
    draft.change({ op: "delete", kind: "nodeStatus", id: node.id });
    draft.change({ op: "put", kind: "freedAddress", record: { id: node.subnet } });
    for (const pin of state.volumePin.values()) {
      if (!pin.nodeIds.includes(node.id)) continue;
      const nodeIds = pin.nodeIds.filter((other) => other !== node.id);
      const madeOn = (pin.madeOn ?? []).filter((other) => other !== node.id);
      draft.change(
        nodeIds.length === 0
          ? { op: "delete", kind: "volumePin", id: pin.id }
          : { op: "put", kind: "volumePin", record: { ...pin, nodeIds, madeOn } },
      );
    }
    draft.event(nodeEvent("node.removed", node, ""));
    return draft.finish(node);
  };
}

/** What a user says that the node has; undefined when nothing is said. */
function genericAfter({ generic }: Node, patch: NodePatch): Node["generic"] {
  const next: Record<string, number | readonly string[]> = { ...generic };
  for (const [kind, amount] of Object.entries(patch.generic ?? {})) {
    if (amount === null) delete next[kind];
    else next[kind] = amount;
  }
  return Object.keys(next).length === 0 ? undefined : next;
}

function checkPatch(node: Node, patch: NodePatch, all: readonly Node[]): void {
  const what = `update ${node.name}`;
  if (patch.name !== undefined && patch.name !== node.name) {
    if (!NODE_NAME.test(patch.name))
      throw new DavitError(
        "invalid_input",
        `${what}: '${patch.name}' is not a node name: 1–63 characters of [a-zA-Z0-9.-]`,
      );
    if (all.some((other) => other.name === patch.name))
      throw new DavitError("already_exists", `${what}: there is a node named ${patch.name} already`);
  }
  for (const [key, value] of Object.entries(patch.labels ?? {})) {
    if (!LABEL_KEY.test(key) || (value ?? "").length > MAX_LABEL_VALUE) {
      throw new DavitError(
        "invalid_input",
        `${what}: label '${key}': keys are 1–128 characters of [a-zA-Z0-9_./-], values at most ${MAX_LABEL_VALUE}`,
      );
    }
  }
  if (patch.drainDeadlineMs !== undefined && patch.availability !== "drain")
    throw new DavitError("invalid_input", `${what}: a deadline is for draining: give availability drain with it`);
  for (const [kind, ids] of Object.entries(patch.generic ?? {})) {
    if (!GENERIC_KIND.test(kind))
      throw new DavitError(
        "invalid_input",
        `${what}: '${kind}' is not a name of a resource: 1–63 characters of [a-zA-Z0-9_.-], the first a letter or digit`,
      );
    if (typeof ids !== "object" || ids === null) continue;
    const bad = ids.find((id, at) => !GENERIC_ID.test(id) || ids.indexOf(id) !== at);
    if (bad !== undefined)
      throw new DavitError(
        "invalid_input",
        `${what}: '${bad}' is no id of a ${kind}, or is there twice: 1–128 characters of [a-zA-Z0-9_./:=@+-], each once`,
      );
  }
  const wrong = patch.meshEndpoint == null ? undefined : meshEndpointProblem(patch.meshEndpoint);
  if (wrong !== undefined) throw new DavitError("invalid_input", `${what}: ${wrong}`);
  const { address } = patch;
  if (address === undefined) return;
  if (address.host.trim() === "" || !(address.port >= 1 && address.port <= 65_535))
    throw new DavitError("invalid_input", `${what}: '${address.host}:${address.port}' is not an address`);
  const neighbour = all.find(
    (other) => other.id !== node.id && other.address.host === address.host && other.address.port === address.port,
  );
  if (neighbour !== undefined)
    throw new DavitError(
      "already_exists",
      `${what}: ${address.host}:${address.port} is the address of ${neighbour.name}`,
    );
}

function describe(before: Node, after: Node, nowMs: number): string {
  const labels = [...new Set([...Object.keys(before.labels), ...Object.keys(after.labels)])]
    .sort()
    .filter((key) => before.labels[key] !== after.labels[key]);
  const differing = [
    before.name === after.name ? "" : `renamed from ${before.name}`,
    before.availability === after.availability ? "" : `availability ${before.availability} → ${after.availability}`,
    ...labels.map((key) =>
      after.labels[key] === undefined ? `label ${key} removed` : `label ${key}=${after.labels[key]}`,
    ),
    isSame(before.generic ?? {}, after.generic ?? {})
      ? ""
      : `resources ${
          Object.entries(after.generic ?? {})
            .map(([kind, what]) => `${kind}=${typeof what === "number" ? what : what.join(",")}`)
            .join(" ") || "none by name"
        }`,
    after.drainUntilMs === undefined || after.drainUntilMs === before.drainUntilMs
      ? ""
      : `what is still there in ${Math.round((after.drainUntilMs - nowMs) / 1_000)} s ends`,
    isSame(before.address, after.address)
      ? ""
      : `address ${before.address.host}:${before.address.port} → ${after.address.host}:${after.address.port}`,
    isSame(before.meshEndpoint ?? {}, after.meshEndpoint ?? {})
      ? ""
      : `other nodes reach its mesh at ${describeEndpoint(after.meshEndpoint ?? { host: after.address.host })}`,
    before.confirmedDeadAtMs !== undefined && after.confirmedDeadAtMs === undefined ? "no longer counts as dead" : "",
  ];
  return differing.filter((text) => text !== "").join(", ");
}

function describeEndpoint({ host, port }: MeshEndpoint): string {
  return port === undefined ? host : `${host}:${port}`;
}

function nodeEvent(
  type: string,
  node: Node,
  what: string,
): {
  readonly type: string;
  readonly subject: { readonly kind: "node"; readonly id: string; readonly name: string };
  readonly message: string;
} {
  const verb = type.slice(type.indexOf(".") + 1).replaceAll("_", " ");
  return {
    type,
    subject: { kind: "node", id: node.id, name: node.name },
    message: `node ${node.name} ${verb}${what === "" ? "" : `: ${what}`}`,
  };
}
