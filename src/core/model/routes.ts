// The second document a node is given: what it must know to reach, name, balance and guard the tasks of the whole cluster. Cut into sections
// with a content hash each, like work, and ordered by (epoch, generation). Every node gets the same sections. Pure.

import type { NodeId, ServiceId, TaskId } from "./ids.ts";
import type { PublishedPort } from "./published-port.ts";
import type { IngressSpec } from "./ingress.ts";
import type { PortProtocol } from "./service-spec.ts";
import type { WorkPosition } from "./work.ts";

/** How nodes reach each other's containers. One section, key "mesh". */
export type MeshRoutes = {
  readonly kind: "mesh";
  /** Pool of all of the cluster's addresses: its first /24 is the nodes' own mesh addresses, its last eighth the services' addresses. */
  readonly addressPool: string;
  /** The part of the pool that services' addresses come from. */
  readonly servicePool: string;
  /** `wireguard`: encrypted, one UDP port. `off`: plain routes, for nodes on one trusted link. */
  readonly encryption: "wireguard" | "off";
  /** UDP port that WireGuard listens on, on every node. */
  readonly port: number;
  /** All nodes that were not removed, this one included, by id. */
  readonly nodes: readonly MeshNode[];
};

export type MeshNode = {
  readonly nodeId: NodeId;
  readonly name: string;
  /** Index of its subnet in the pool, 1–254: the last byte of its mesh address, and what marks and link addresses are made of. */
  readonly number: number;
  readonly subnet: string;
  readonly meshAddress: string;
  /** What its peers send to, as an IPv4 address or a name. */
  readonly endpoint: { readonly host: string; readonly port: number };
  /** Base64 of its WireGuard public key; absent until its agent told. */
  readonly meshKey?: string;
  /** Public key (JWK text) of its agent: what it says to its peers is signed with it. Absent in routes of a davit before peers spoke. */
  readonly agentKey?: string;
};

/**
 * Whether an endpoint gets new connections. `in`: yes. `waiting`: it is not ready, or its node is lost; its own node may show it. `out`:
 * withdrawn or ended: nobody may show it; it stays listed, as a member of its networks, until its address is free.
 */
export type Standing = "in" | "waiting" | "out";

export type Endpoint = {
  readonly taskId: TaskId;
  readonly nodeId: NodeId;
  readonly address: string;
  /** 1…n; 0 for tasks of global services. */
  readonly slot: number;
  /** Share of new connections beside the service's other endpoints, 0–100. 0 gets none. */
  readonly weight: number;
  readonly standing: Standing;
};

/** Who may call what of a service, beside its networks' other members; an empty list means nobody. */
export type PolicyRule = {
  readonly from: ServiceId;
  readonly ports: readonly { readonly port: number; readonly protocol: PortProtocol }[];
};

/** One service: its names, its address, its endpoints. Key "service/<id>". */
export type ServiceRoutes = {
  readonly kind: "service";
  readonly serviceId: ServiceId;
  /** Full name, `shop_web`. */
  readonly name: string;
  readonly stack?: string;
  /** Name inside its stack, `web`; the full name without a stack. */
  readonly shortName: string;
  /** Its virtual address; absent with `endpoint_mode: dnsrr`. */
  readonly address?: string;
  /** How new connections choose an endpoint: at random by weight, or always the same for one client address. */
  readonly balance: "random" | "client";
  /** Networks that its tasks are members of, by full name, with the names that it has beside its own there. */
  readonly networks: readonly { readonly network: string; readonly aliases: readonly string[] }[];
  readonly ports: readonly PublishedPort[];
  /** Named ports, for SRV records: `_http._tcp.web`. */
  readonly namedPorts: readonly { readonly name: string; readonly port: number; readonly protocol: PortProtocol }[];
  /** TCP ports at which callers wake it, where it may fall asleep; absent: never. */
  readonly waking?: readonly number[];
  /** Absent: every member of its networks may call every port. */
  readonly policy?: readonly PolicyRule[];
  /** By slot, then id. */
  readonly endpoints: readonly Endpoint[];
};

/** One network. Its members are the endpoints of the services that name it. Key "network/<name>". */
export type NetworkRoutes = {
  readonly kind: "network";
  readonly name: string;
  /** Its members reach nothing outside the cluster by it. */
  readonly internal: boolean;
};

/** Hosts and paths that lead to a service, which has its endpoints in a section of its own. Key "ingress/<service id>". */
export type IngressRoutes = {
  readonly kind: "ingress";
  readonly serviceId: ServiceId;
  /** Full name of the service. */
  readonly name: string;
  /** All its routes answer 503 with a page. */
  readonly maintenance: boolean;
  readonly routes: readonly IngressSpec[];
};

/** What a host name is served with. Key "secret/certificate/<name>". */
export type CertificateRoutes = {
  readonly kind: "certificate";
  /** The host itself, or the name that its user gave it. */
  readonly name: string;
  /** Names that it is shown for: `shop.example.com`, `*.example.com`. */
  readonly hosts: readonly string[];
  /** PEM of the certificate, its chain, and its private key. */
  readonly pem: string;
};

/** What an ACME server asks over HTTP for, on any node. One section, key "challenge", absent while nothing is asked. */
export type ChallengeRoutes = {
  readonly kind: "challenge";
  readonly answers: readonly { readonly token: string; readonly answer: string }[];
};

/** More kinds stand beside these as what nodes do with routes grows. Keys that begin with "secret/" are never written to a node's disk. */
export type RoutesSection =
  | MeshRoutes
  | ServiceRoutes
  | NetworkRoutes
  | IngressRoutes
  | CertificateRoutes
  | ChallengeRoutes;

export type Routes = {
  readonly sections: Readonly<Record<string, { readonly hash: string; readonly content: RoutesSection }>>;
};

/** From what the agent holds to what it must hold. `base` absent: this is everything, forget what you had. */
export type RoutesDelta = WorkPosition & {
  readonly base?: WorkPosition;
  readonly put: Routes["sections"];
  readonly drop: readonly string[];
};
