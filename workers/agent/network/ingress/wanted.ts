// From what the node was told to what its proxy must serve: one entry for each host and path, with the servers that take new requests. Pure.

import { certificateName, type IngressSpec, routeKey } from "../../../../src/core/model/ingress.ts";
import type { ServiceId } from "../../../../src/core/model/ids.ts";
import type { CertificateRoutes, ChallengeRoutes } from "../../../../src/core/model/routes.ts";
import { commonDivisor } from "../../../../src/core/model/shares.ts";
import type { Activation, NetworkView } from "../../../../src/ports/node-network.ts";
import { chosenFrom } from "../firewall/balance.ts";

export type WantedServer = {
  readonly address: string;
  readonly port: number;
  /** Share of new requests beside the others, in the smallest numbers: the proxy makes sixteen entries of a tree for each one. */
  readonly weight: number;
};

export type WantedRoute = {
  /** Host and path with a slash at the end: what the proxy looks requests up by. */
  readonly key: string;
  readonly serviceId: ServiceId;
  /** Full name. */
  readonly service: string;
  readonly spec: IngressSpec;
  readonly isInMaintenance: boolean;
  /** By address. */
  readonly servers: readonly WantedServer[];
};

export type WantedCertificate = {
  readonly name: string;
  /** Absent where the coordinator has not told, as after a reboot without one: what the disk has goes on. */
  readonly pem?: string;
  /** Hosts of routes that it is shown for, sorted. */
  readonly hosts: readonly string[];
};

export type Wanted = {
  /** By key. Of two services that claim one key, the one that comes first by id has it. */
  readonly routes: readonly WantedRoute[];
  readonly certificates: readonly WantedCertificate[];
  readonly challenges: ChallengeRoutes["answers"];
};

/** All that the proxy of this node must serve. */
export function wantedOf(
  view: Pick<NetworkView, "services" | "ingress" | "certificates" | "challenges" | "activations">,
): Wanted {
  const routes = new Map<string, WantedRoute>();
  const services = new Map(view.services.map((service) => [service.serviceId, service]));
  for (const { serviceId, name, maintenance, routes: specs } of view.ingress.toSorted(byId)) {
    const taking = chosenFrom(services.get(serviceId)?.endpoints ?? []);
    for (const spec of specs) {
      const key = routeKey(spec);
      if (routes.has(key)) continue;
      const servers = [
        ...taking.map(({ address, weight }) => ({ address, port: spec.port, weight })),
        ...(taking.length === 0 ? holding(view.activations?.get(serviceId), spec.port) : []),
      ];
      routes.set(key, {
        key,
        serviceId,
        service: name,
        spec,
        isInMaintenance: maintenance,
        servers: inLowestTerms(servers).sort((a, b) => (a.address < b.address ? -1 : 1)),
      });
    }
  }
  const sorted = [...routes.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return { routes: sorted, certificates: certificatesFor(sorted, view.certificates), challenges: view.challenges };
}

function inLowestTerms(servers: readonly WantedServer[]): WantedServer[] {
  const unit = commonDivisor(servers.map(({ weight }) => weight));
  return servers.map((server) => ({ ...server, weight: server.weight / unit }));
}

/** Where requests wait for a service that is asleep. */
function holding(activation: Activation | undefined, port: number): readonly WantedServer[] {
  const at = activation?.ports.get(port);
  return activation === undefined || at === undefined ? [] : [{ address: activation.address, port: at, weight: 1 }];
}

/** Those that a route is served with: a proxy that shows a certificate for a name without routes tells what it need not. */
function certificatesFor(
  routes: readonly WantedRoute[],
  certificates: readonly CertificateRoutes[],
): readonly WantedCertificate[] {
  const hosts = new Map<string, Set<string>>();
  for (const { spec } of routes) {
    const name = certificateName(spec);
    if (name !== undefined) hosts.set(name, (hosts.get(name) ?? new Set()).add(spec.host));
  }
  return [...hosts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, shown]) => {
      const pem = certificates.find((certificate) => certificate.name === name)?.pem;
      return { name, hosts: [...shown].sort(), ...(pem === undefined ? {} : { pem }) };
    });
}

function byId(a: { readonly serviceId: string }, b: { readonly serviceId: string }): number {
  return a.serviceId < b.serviceId ? -1 : 1;
}
