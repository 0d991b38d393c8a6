// What becomes of a certificate, as changes of its record: asked for, proved, had, not had, no longer needed. Pure.

import type { Certificate } from "../model/certificate.ts";
import type { Change, EventDraft } from "../model/records.ts";
import type { State } from "../model/world.ts";
import { type CertificateNeed, retryAfter } from "./plan-certificates.ts";

export type Sealed = Pick<Certificate, "issuer" | "notBeforeMs" | "notAfterMs"> & { readonly sealedPem: string };

type Drafted = {
  readonly changes: readonly Change[];
  readonly events: readonly EventDraft[];
  readonly result: undefined;
};

/** There it is. */
export function issued(state: State, need: CertificateNeed, sealed: Sealed): Drafted {
  const before = state.certificate.get(need.name);
  // a certificate of the user's own may have come meanwhile
  if (before?.source === "own") return { changes: [], events: [], result: undefined };
  const record: Certificate = { ...fresh(before, need), ...sealed };
  const message = `certificate ${need.name} ${before?.sealedPem === undefined ? "issued" : "renewed"} by ${sealed.issuer ?? "its authority"}`;
  return {
    changes: [put(record)],
    events: [event("certificate.issued", need.name, message)],
    result: undefined,
  };
}

/** What is there already stays in use; the next try comes later each time. */
export function failed(state: State, need: CertificateNeed, reason: string, nowMs: number): Drafted {
  const before = state.certificate.get(need.name);
  if (before?.source === "own") return { changes: [], events: [], result: undefined };
  const failures = (before?.failures ?? 0) + 1;
  const record: Certificate = {
    ...kept(before, need),
    failures,
    trouble: reason,
    nextTryAtMs: nowMs + retryAfter(failures),
  };
  return {
    changes: [put(record)],
    events: [event("certificate.failed", need.name, `certificate ${need.name}: ${reason}`)],
    result: undefined,
  };
}

/** An authority looks at what every node answers from now on. */
export function proving(
  state: State,
  need: CertificateNeed,
  { token, answer }: { readonly token: string; readonly answer: string },
): Drafted {
  const before = state.certificate.get(need.name);
  const { failures, trouble } = before ?? {};
  const record: Certificate = {
    ...kept(before, need),
    ...(failures === undefined ? {} : { failures }),
    ...(trouble === undefined ? {} : { trouble }),
    challenges: [{ token, answer }],
  };
  return { changes: [put(record)], events: [], result: undefined };
}

/** No route names them any more. */
export function forgotten(state: State, certificates: readonly Certificate[]): Drafted {
  const gone = certificates.filter(({ id, index }) => state.certificate.get(id)?.index === index);
  return {
    changes: gone.map(({ id }) => ({ op: "delete", kind: "certificate", id })),
    events: gone.map(({ id }) => event("certificate.removed", id, `certificate ${id} removed: no route needs it`)),
    result: undefined,
  };
}

/** Whether a record's change is news to whoever sees to certificates. */
export function certificateKeyOf({ isAsked, source, sealedPem }: Certificate): "asked" | "own" | "had" | "wanted" {
  if (isAsked === true) return "asked";
  return source === "own" ? "own" : sealedPem === undefined ? "wanted" : "had";
}

function fresh(before: Certificate | undefined, { name, source }: CertificateNeed): Certificate {
  return { id: name, index: (before?.index ?? 0) + 1, source, hosts: [name] };
}

/** With the certificate that is in use, and its source: one of another source is better than none. */
function kept(before: Certificate | undefined, need: CertificateNeed): Certificate {
  if (before?.sealedPem === undefined) return fresh(before, need);
  const {
    challenges: _challenges,
    isAsked: _asked,
    nextTryAtMs: _next,
    failures: _failures,
    trouble: _why,
    ...rest
  } = before;
  return { ...rest, index: before.index + 1 };
}

function put(record: Certificate): Change {
  return { op: "put", kind: "certificate", record };
}

function event(type: string, name: string, message: string): EventDraft {
  return { type, subject: { kind: "certificate", id: name, name }, message };
}
