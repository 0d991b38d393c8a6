// Commands on certificates, and on whether a service is being worked on. A certificate's contents come checked and sealed; its clear text never
// reaches the state, an event or an audit entry. Pure.

import type { Certificate } from "../model/certificate.ts";
import { DavitError } from "../model/errors.ts";
import { certificateName, covers, hostProblem } from "../model/ingress.ts";
import { nearest } from "../model/nearest.ts";
import type { Service } from "../model/records.ts";
import type { ServiceSpec } from "../model/service-spec.ts";
import { type State, versionKey } from "../model/world.ts";
import { type Command, unchanged } from "./command.ts";
import { checkIndex, Draft } from "./draft.ts";
import { type Fault, invalid } from "./fault.ts";
import { resolveService } from "./resolve.ts";
import { type ServiceRef, serviceEvent } from "./services.ts";

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export type SealedCertificate = Pick<Certificate, "hosts" | "issuer" | "notBeforeMs" | "notAfterMs" | "sealedPem">;

/** Stores or replaces a certificate of the user's own. Under the name of a host it is used for that host instead of one that comes by itself. */
export function putCertificate(name: string, sealed: SealedCertificate): Command<Certificate> {
  return (state) => {
    if (!NAME.test(name) && hostProblem(name) !== undefined)
      throw new DavitError("invalid_input", `add certificate: '${name.slice(0, 80)}' is not a name for one`, {
        wayOut: "use a host name, or up to 63 characters of [a-z0-9._-]",
      });
    const before = state.certificate.get(name);
    const uses = routesWith(state, name).filter(({ host }) => !sealed.hosts.some((pattern) => covers(pattern, host)));
    const [first] = uses;
    if (first !== undefined)
      throw new DavitError(
        "conflict",
        `add certificate ${name}: it is not good for ${first.host}, which ${first.service} serves with it`,
        {
          wayOut: `add one for that name; this one is for ${sealed.hosts.join(", ")}`,
        },
      );
    const record = { id: name, source: "own" as const, ...sealed };
    const draft = new Draft();
    if (before === undefined) draft.create("certificate", record);
    else draft.replace("certificate", before, record);
    const message = `certificate ${name} ${before === undefined ? "added" : "replaced"}: ${sealed.hosts.join(", ")}`;
    draft.event({ type: "certificate.added", subject: { kind: "certificate", id: name, name }, message });
    return draft.finish({ ...record, index: (before?.index ?? 0) + 1 });
  };
}

/** Forgets a certificate of the user's own. Throws `in_use` while a route names it. */
export function removeCertificate(name: string): Command<Certificate> {
  return (state) => {
    const record = find(state, "remove", name);
    const [use] = routesWith(state, name);
    if (record.source !== "own")
      throw new DavitError("conflict", `remove certificate ${name}: it came by itself, for the routes of its host`, {
        wayOut: "it goes with the last of them; davit certificate renew gets a new one",
      });
    if (use !== undefined && use.isNamed)
      throw new DavitError("in_use", `remove certificate ${name}: ${use.service} serves ${use.host} with it`, {
        wayOut: "change the route's tls first",
      });
    const draft = new Draft();
    draft.remove("certificate", record);
    const message = `certificate ${name} removed`;
    draft.event({ type: "certificate.removed", subject: { kind: "certificate", id: name, name }, message });
    return draft.finish(record);
  };
}

/** Asks for a new certificate now, whatever failed before. Throws `conflict` for one of the user's own. */
export function renewCertificate(name: string): Command<Certificate> {
  return (state) => {
    const record = find(state, "renew", name);
    if (record.source === "own")
      throw new DavitError("conflict", `renew certificate ${name}: it is your own`, {
        wayOut: "add the new one under the same name: davit certificate add",
      });
    const draft = new Draft();
    draft.replace("certificate", record, { ...record, isAsked: true });
    const message = `certificate ${name}: a new one was asked for`;
    draft.event({ type: "certificate.asked", subject: { kind: "certificate", id: name, name }, message });
    return draft.finish({ ...record, isAsked: true, index: record.index + 1 });
  };
}

/** Has a service's routes answer with a page that says so, or lead to it again. */
export function setMaintenance(input: ServiceRef & { readonly isOn: boolean }): Command<Service> {
  return (state, { nowMs }) => {
    const service = resolveService(state, input.ref);
    checkIndex(`${service.name} (maintenance)`, service, input.ifMatch);
    if ((service.maintenance === true) === input.isOn) return unchanged(service);
    const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
    if (input.isOn && (spec?.ingress ?? []).length === 0)
      throw new DavitError("conflict", `put ${service.name} under maintenance: no ingress route leads to it`, {
        wayOut: "give it one with x-davit.ingress, or scale it to 0",
      });
    const { maintenance: _maintenance, ...rest } = service;
    const draft = new Draft();
    const next = draft.replace("service", service, {
      ...rest,
      updatedAtMs: nowMs,
      ...(input.isOn ? { maintenance: true as const } : {}),
    });
    draft.event(serviceEvent("service.maintenance", next, input.isOn ? "on" : "off"));
    return draft.finish(next);
  };
}

/** Routes that name certificates which are not there, or are for other hosts. */
export function certificateFaults(specs: readonly ServiceSpec[], state: State): readonly Fault[] {
  return specs.flatMap(({ name, ingress = [] }) =>
    ingress.flatMap(({ host, path, tls }) => {
      if (typeof tls === "string") return [];
      const where = `ingress ${host}${path}`;
      const record = state.certificate.get(tls.certificate);
      if (record?.sealedPem === undefined) {
        const near = nearest(tls.certificate, state.certificate.keys());
        const hint = near === undefined ? "add it first: davit certificate add" : `did you mean ${near}?`;
        return [invalid(name, `${where}: there is no certificate '${tls.certificate}'; ${hint}`)];
      }
      return record.hosts.some((pattern) => covers(pattern, host))
        ? []
        : [invalid(name, `${where}: certificate ${tls.certificate} is for ${record.hosts.join(", ")}`)];
    }),
  );
}

type Use = { readonly service: string; readonly host: string; readonly isNamed: boolean };

function routesWith(state: State, name: string): readonly Use[] {
  return [...state.service.values()].flatMap((service) => {
    const spec = state.serviceVersion.get(versionKey(service.id, service.version))?.spec;
    return (spec?.ingress ?? [])
      .filter((route) => certificateName(route) === name)
      .map(({ host, tls }) => ({ service: service.name, host, isNamed: typeof tls !== "string" }));
  });
}

function find(state: State, verb: string, name: string): Certificate {
  const record = state.certificate.get(name);
  if (record !== undefined) return record;
  const near = nearest(name, state.certificate.keys());
  throw new DavitError("not_found", `${verb} certificate: there is no '${name.slice(0, 80)}'`, {
    wayOut: near === undefined ? "list what there is: davit certificate ls" : `did you mean ${near}?`,
  });
}
