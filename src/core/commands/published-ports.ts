// Which port each service of a stack is published on: unique over the cluster, since every node answers on it. A single port is what the
// file says; of a range the service gets the first that is free, and keeps it as long as it is in its range. Pure.

import { DavitError } from "../model/errors.ts";
import { isPublishedBy, type PublishedPort } from "../model/published-port.ts";
import type { PortSpec, ServiceSpec } from "../model/service-spec.ts";
import type { State } from "../model/world.ts";

type Taken = { readonly port: PublishedPort; readonly by: string };

/** By the services' full names. Throws `conflict` when two services want one port, or a range has none left. */
export function publishedPorts(
  state: State,
  stack: string,
  specs: readonly ServiceSpec[],
): ReadonlyMap<string, readonly PublishedPort[]> {
  const services = [...state.service.values()];
  const taken: Taken[] = services
    .filter((service) => service.stack !== stack)
    .flatMap((service) => (service.ports ?? []).map((port) => ({ port, by: service.name })));
  const known = new Map(services.map((service) => [service.name, service.ports ?? []]));
  const given = new Map<string, PublishedPort[]>();
  // single ports first: no range of the same stack may take what another service must have
  for (const isFirst of [true, false]) {
    for (const { name, template } of specs) {
      for (const spec of template.ports) {
        if (spec.mode !== "ingress" || isSingle(spec) !== isFirst) continue;
        const port = choose(name, spec, known.get(name) ?? [], taken);
        taken.push({ port, by: name });
        given.set(name, [...(given.get(name) ?? []), port]);
      }
    }
  }
  return given;
}

function choose(
  name: string,
  spec: PortSpec,
  before: readonly PublishedPort[],
  taken: readonly Taken[],
): PublishedPort {
  const { from, to } = spec.published;
  const kept = before.filter((port) => isPublishedBy(port, spec)).map(({ published }) => published);
  const all = Array.from({ length: to - from + 1 }, (_, at) => from + at);
  let holder: string | undefined;
  for (const published of [...kept, ...all]) {
    const { target, protocol, hostIp } = spec;
    const port = { published, target, protocol, ...(hostIp === undefined ? {} : { hostIp }) };
    const other = taken.find((one) => collides(one.port, port));
    if (other === undefined) return port;
    holder = other.by;
  }
  const what = isSingle(spec) ? `port ${from}/${spec.protocol} is` : `all ports ${from}–${to}/${spec.protocol} are`;
  throw new DavitError("conflict", `publish ports of ${name}: ${what} published by ${holder ?? "others"} already`, {
    wayOut: "publish another port: every node answers on it, so only one service can have it",
  });
}

function isSingle({ published }: PortSpec): boolean {
  return published.from === published.to;
}

function collides(a: PublishedPort, b: PublishedPort): boolean {
  const isAny = (ip: string | undefined): boolean => ip === undefined || ip === "0.0.0.0" || ip === "::";
  return (
    a.published === b.published &&
    a.protocol === b.protocol &&
    (isAny(a.hostIp) || isAny(b.hostIp) || a.hostIp === b.hostIp)
  );
}
