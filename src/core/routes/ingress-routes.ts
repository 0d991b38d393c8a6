// The sections of the routes that are about HTTP: what leads to a service, what host names are served with, what an authority asks. Pure.

import type { ServiceId } from "../model/ids.ts";
import type { Certificate } from "../model/certificate.ts";
import type { CertificateRoutes, ChallengeRoutes, IngressRoutes } from "../model/routes.ts";
import { type State, versionKey } from "../model/world.ts";

export const CHALLENGE_SECTION = "challenge";

/** The key of a service's routes. */
export function ingressSection(serviceId: string): string {
  return `ingress/${serviceId}`;
}

/** The key of a certificate, which holds a private key: it is on no node's disk as part of the routes. */
export function certificateSection(name: string): string {
  return `secret/certificate/${name}`;
}

/** Undefined for a service without routes, and for one that was removed: its hosts may be another's at once. */
export function ingressRoutes(state: State, serviceId: ServiceId): IngressRoutes | undefined {
  const service = state.service.get(serviceId);
  const spec =
    service === undefined ? undefined : state.serviceVersion.get(versionKey(serviceId, service.version))?.spec;
  if (service === undefined || spec?.ingress === undefined || spec.ingress.length === 0) return undefined;
  const { name, maintenance = false } = service;
  return { kind: "ingress", serviceId, name, maintenance, routes: spec.ingress };
}

/** Undefined until there is one. `unseal`: the clear text of what the store keeps sealed. */
export function certificateRoutes(
  { id, hosts, sealedPem }: Certificate,
  unseal: (sealed: string) => string,
): CertificateRoutes | undefined {
  return sealedPem === undefined ? undefined : { kind: "certificate", name: id, hosts, pem: unseal(sealedPem) };
}

/** Undefined while nobody asks. */
export function challengeRoutes(certificates: Iterable<Certificate>): ChallengeRoutes | undefined {
  const answers = [...certificates].flatMap(({ challenges = [] }) => challenges);
  if (answers.length === 0) return undefined;
  return { kind: "challenge", answers: answers.sort((a, b) => (a.token < b.token ? -1 : 1)) };
}
