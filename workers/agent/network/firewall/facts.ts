// What the rules are made of besides the view: addresses and names that several chains speak of, worked out once. Pure.

import { DavitError } from "../../../../src/core/model/errors.ts";
import type { MeshNode } from "../../../../src/core/model/routes.ts";
import { parseCidr, renderAddress } from "../../../../src/core/model/subnets.ts";
import type { NetworkView } from "../../../../src/ports/node-network.ts";
import { BRIDGE } from "../../plan/types.ts";
import { MESH_LINK, TUNNEL_LINK } from "../mesh/names.ts";
import { hashOf } from "./balance.ts";

/** Links on which addresses of the pool may come and go. */
export const OUR_LINKS = `{ "lo", "${BRIDGE}", "${MESH_LINK}", "${TUNNEL_LINK}" }`;

/** What the host knows and the view does not say. */
export type HostFacts = {
  /** IPv4 addresses that nodes send from outside of the mesh, by node id; a name that did not resolve has none. */
  readonly endpoints: ReadonlyMap<string, string>;
};

export type Places = {
  readonly self: MeshNode;
  /** First address of the node's subnet: the bridge's own, where the resolver answers. */
  readonly gateway: string;
  readonly subnet: string;
  readonly pool: string;
  readonly servicePool: string;
  /** Addresses by which nodes themselves speak inside the pool: mesh addresses and gateways. */
  readonly nodes: readonly string[];
  readonly gateways: readonly string[];
  /** Numbers of the other nodes. */
  readonly peers: readonly number[];
  /** Addresses of nodes on the hosts' own network. */
  readonly underlay: readonly string[];
  readonly isEncrypted: boolean;
};

/** First address of a subnet. */
export function gatewayOf(subnet: string): string {
  return renderAddress(parseCidr(subnet).base + 1);
}

/** Throws `unavailable` while the mesh does not list this node: rules for a node without a place would let in whom they should not. */
export function placesOf(view: NetworkView, facts: HostFacts): Places {
  const self = view.mesh.nodes.find((node) => node.nodeId === view.node.nodeId);
  if (self === undefined) {
    throw new DavitError("unavailable", `make packet rules: the routes do not list ${view.node.nodeName} yet`, {
      wayOut: "the coordinator sends them once the node has joined; davit node ls shows whether it has",
    });
  }
  const nodes = view.mesh.nodes.toSorted((a, b) => a.number - b.number);
  const gateways = nodes.map((node) => gatewayOf(node.subnet));
  return {
    self,
    gateway: gatewayOf(view.node.subnet),
    subnet: view.node.subnet,
    pool: view.mesh.addressPool,
    servicePool: view.mesh.servicePool,
    nodes: [...nodes.map((node) => node.meshAddress), ...gateways],
    gateways,
    peers: nodes.filter((node) => node !== self).map(({ number }) => number),
    underlay: [...new Set(nodes.flatMap((node) => facts.endpoints.get(node.nodeId) ?? []))],
    isEncrypted: view.mesh.encryption === "wireguard",
  };
}

/** The kernel takes 255 characters; a longer name ends in a hash of all of it. */
const MAX_NAME = 200;

/** A name for the kernel's tables: what it has no room for stands as its code, so that two names never become one. */
export function objectName(kind: string, ...parts: readonly string[]): string {
  const safe = parts.map((part) =>
    part.replaceAll(/[^a-zA-Z0-9_-]/g, (character) => `/${character.charCodeAt(0).toString(16)}/`),
  );
  const name = [kind, ...safe].join(".");
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME)}.${hashOf(name)}.${hashOf(`${name}/`)}`;
}

/** The set of a network's members. */
export function networkSet(network: string): string {
  return objectName("network", network);
}

/** A set's elements. */
export function elementsOf(keys: Iterable<string>): ReadonlyMap<string, string> {
  return new Map([...keys].map((key) => [key, ""]));
}

export function hex(number: number): string {
  return `0x${number.toString(16)}`;
}
