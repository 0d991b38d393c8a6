// HTTP routes and certificates as the API shows them. Pure.

import { renewalAt } from "../../core/ingress/plan-certificates.ts";
import type { Certificate } from "../../core/model/certificate.ts";
import { certificateName, optionsOf } from "../../core/model/ingress.ts";
import type { CertificateView, IngressRouteView } from "../../core/model/ingress-views.ts";
import { type State, versionKey } from "../../core/model/world.ts";
import { iso, maybe } from "./time.ts";

/** By host, then path. */
export function ingressRouteViews(state: State): readonly IngressRouteView[] {
  const views = [...state.service.values()].flatMap((service) => {
    const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
    return (spec?.ingress ?? []).map((route): IngressRouteView => {
      const { host, path, port, tls } = route;
      const name = certificateName(route);
      const certificate = name === undefined ? undefined : state.certificate.get(name);
      return {
        host,
        path,
        service: service.name,
        port,
        tls: typeof tls === "string" ? tls : `certificate ${tls.certificate}`,
        ...maybe("certificate", name === undefined ? undefined : certificateState(certificate)),
        ...maybe("trouble", certificate?.trouble),
        options: Object.keys(optionsOf(route)).sort(),
        maintenance: service.maintenance === true,
      };
    });
  });
  return views.sort((a, b) => (`${a.host}${a.path}` < `${b.host}${b.path}` ? -1 : 1));
}

/** `unitOf`: as the plan for renewals has it. */
export function certificateView(record: Certificate, unitOf: (name: string) => number): CertificateView {
  const { id, source, hosts, issuer, notBeforeMs, notAfterMs, trouble, nextTryAtMs } = record;
  const renewsAtMs =
    source === "own" || notBeforeMs === undefined || notAfterMs === undefined
      ? undefined
      : renewalAt(notBeforeMs, notAfterMs, unitOf(id));
  return {
    name: id,
    source,
    hosts: [...hosts],
    state: certificateState(record),
    ...maybe("issuer", issuer),
    ...maybe("notBefore", notBeforeMs === undefined ? undefined : iso(notBeforeMs)),
    ...maybe("notAfter", notAfterMs === undefined ? undefined : iso(notAfterMs)),
    ...maybe("renewsAt", renewsAtMs === undefined ? undefined : iso(Math.round(renewsAtMs))),
    ...maybe("trouble", trouble),
    ...maybe("nextTryAt", nextTryAtMs === undefined ? undefined : iso(nextTryAtMs)),
  };
}

/** `valid`: it is there, whatever a renewal says. */
function certificateState(record: Certificate | undefined): CertificateView["state"] {
  if (record?.sealedPem !== undefined) return "valid";
  return record?.trouble === undefined ? "waiting" : "failing";
}
