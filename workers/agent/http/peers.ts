// The way from this node to one of its peers, measured when a coordinator asks for it.

import type { PeerMeasurement } from "../../../src/core/mesh/judge-peer.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import type { AgentCore } from "../agent-core.ts";
import { measurePeer } from "../network/check/measure.ts";
import { runOnHost } from "../network/run-command.ts";

/** `peer`: a node's id. `stream`: 1 to measure throughput too. Rejects with `not_found` or `not_yet`. */
export async function measurePeers(core: AgentCore, query: URLSearchParams): Promise<PeerMeasurement> {
  const mesh = Object.values(core.routes.sections)
    .map(({ content }) => content)
    .find((content) => content.kind === "mesh");
  const self = mesh?.nodes.find((node) => node.nodeId === core.nodeId);
  const peer = mesh?.nodes.find((node) => node.nodeId === query.get("peer"));
  if (mesh === undefined || self === undefined)
    throw new DavitError("not_yet", "measure the mesh: this node is not in it yet", {
      wayOut: "wait until it has its routes (davit node ls)",
    });
  if (peer === undefined || peer === self)
    throw new DavitError("not_found", "measure the mesh: this node knows no such peer yet", {
      wayOut: "try again in a moment",
    });
  return await measurePeer(runOnHost, mesh, self, peer, query.get("stream") === "1");
}
