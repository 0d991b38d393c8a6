// What the agent drives to make routes true on its node: the mesh, the kernel's rules, the resolver, the ingress. Each is one part that is
// handed the whole view and makes its own piece match, as often as it is asked; a simulator stands in for all.

import type {
  CertificateRoutes,
  ChallengeRoutes,
  IngressRoutes,
  MeshRoutes,
  NetworkRoutes,
  ServiceRoutes,
} from "../core/model/routes.ts";
import type { ServiceId } from "../core/model/ids.ts";
import type { NodeWork, TaskWork } from "../core/model/work.ts";

/** All that a part may look at. What peers said of their own tasks' readiness is already in the endpoints' standing. */
export type NetworkView = {
  readonly node: NodeWork;
  readonly mesh: MeshRoutes;
  readonly services: readonly ServiceRoutes[];
  readonly networks: readonly NetworkRoutes[];
  readonly ingress: readonly IngressRoutes[];
  readonly certificates: readonly CertificateRoutes[];
  readonly challenges: ChallengeRoutes["answers"];
  /** Where calls of services that may fall asleep are held while there is no endpoint for them; absent: nowhere. */
  readonly activations?: ReadonlyMap<ServiceId, Activation>;
  /** The node's own tasks, those that are to end included. */
  readonly tasks: readonly TaskWork[];
};

/** `ports`: by the port inside of the service's containers, where it is listened for at `address`. */
export type Activation = { readonly address: string; readonly ports: ReadonlyMap<number, number> };

export interface NetworkPart {
  /** For messages: "mesh", "firewall", "resolver", "ingress". */
  readonly name: string;
  /** What is wrong although all that can be in force is, in words: told, and waited for by nobody. */
  readonly trouble?: string | undefined;
  /** It serves callers from outside: the node's own tasks start without it. */
  readonly isForCallers?: true;
  /** Makes the node match; resolves when it is in force, rejects in words. Called one at a time; nothing changes when nothing must. */
  apply(view: NetworkView): Promise<void>;
  /** Takes away all that it put on the node: the node leaves the cluster. */
  remove(): Promise<void>;
}

/** Asks the kernel how many connections to a container are open, so that a task that nobody talks to is not kept waiting. */
export interface ConnectionCounter {
  /** Established connections to this address from outside of it. */
  openTo(address: string): Promise<number>;
  /** Ends what is left of connections to this address, once its container is gone: the next packet of a client finds another endpoint. */
  forget(address: string): Promise<void>;
}
