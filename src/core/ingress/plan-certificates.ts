// Which certificates the cluster needs, and what to do now: get, renew, forget. Names come from the ingress routes of services; a certificate
// of a user's own is never touched. Pure.

import { type Certificate } from "../model/certificate.ts";
import { isPublicName } from "../model/ingress.ts";
import { type State, versionKey } from "../model/world.ts";

export type CertificateNeed = { readonly name: string; readonly source: "acme" | "internal" };

export type CertificatePlan = {
  /** In the order in which they are to be had: the cluster's own first, since they take no time. */
  readonly get: readonly CertificateNeed[];
  readonly forget: readonly Certificate[];
  /** When another look is worthwhile; undefined: only after a change. */
  readonly nextMs: number | undefined;
};

const MINUTE_MS = 60_000;
/** After failures in a row: a public server bears five for a name in an hour. */
const RETRY_MS = [1, 5, 15, 60, 240].map((minutes) => minutes * MINUTE_MS);
/** Of its lifetime, when a certificate is renewed: a third is left. Jitter takes up to a twentieth more. */
const RENEW_AT = 2 / 3;
const JITTER = 1 / 20;

/** What routes are served with, beside certificates of users' own: by name. */
export function neededCertificates(state: State): ReadonlyMap<string, CertificateNeed> {
  const needs = new Map<string, CertificateNeed>();
  for (const service of state.service.values()) {
    const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
    for (const { host, tls } of spec?.ingress ?? []) {
      if (tls !== "auto" && tls !== "internal") continue;
      const source = tls === "auto" && isPublicName(host) ? "acme" : "internal";
      // two routes of one host may differ: the world's authorities are good for both
      if (needs.get(host)?.source !== "acme") needs.set(host, { name: host, source });
    }
  }
  return needs;
}

/** `unitOf`: a number from 0 to 1 that is always the same for a name, so that certificates of one day are not renewed in one minute. */
export function planCertificates(state: State, nowMs: number, unitOf: (name: string) => number): CertificatePlan {
  const needs = neededCertificates(state);
  const due: CertificateNeed[] = [];
  let nextMs: number | undefined;
  for (const need of [...needs.values()].sort(byOrder)) {
    const record = state.certificate.get(need.name);
    if (record?.source === "own") continue;
    const atMs = dueAt(record, need, unitOf(need.name));
    if (atMs <= nowMs) due.push(need);
    else nextMs = Math.min(nextMs ?? atMs, atMs);
  }
  const forget = [...state.certificate.values()].filter(({ id, source }) => source !== "own" && !needs.has(id));
  return { get: due, forget, nextMs };
}

/** When a certificate must be had, in milliseconds; 0 for now. */
function dueAt(record: Certificate | undefined, need: CertificateNeed, unit: number): number {
  if (record === undefined || record.isAsked === true) return 0;
  const retryMs = record.nextTryAtMs ?? 0;
  const { notBeforeMs, notAfterMs } = record;
  if (record.source !== need.source || notBeforeMs === undefined || notAfterMs === undefined) return retryMs;
  return Math.max(renewalAt(notBeforeMs, notAfterMs, unit), retryMs);
}

/** When a certificate is renewed. */
export function renewalAt(notBeforeMs: number, notAfterMs: number, unit: number): number {
  return notBeforeMs + (notAfterMs - notBeforeMs) * (RENEW_AT - JITTER * unit);
}

/** How long to wait after so many failures in a row, in milliseconds. */
export function retryAfter(failures: number): number {
  return RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] ?? MINUTE_MS;
}

function byOrder(a: CertificateNeed, b: CertificateNeed): number {
  return Number(a.source === "acme") - Number(b.source === "acme") || (a.name < b.name ? -1 : 1);
}
