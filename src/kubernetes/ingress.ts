// Host names to an Ingress that sends their requests to services. Pure.

import { DavitError } from "../core/model/errors.ts";
import type { ServiceContext, StackContext } from "./context.ts";
import { type ExportOptions, type IngressRoute, type Manifest, told, type Value } from "./manifest.ts";
import { dnsLabel, isSubdomain } from "./names.ts";
import { type Exposure, onlyPort } from "./services.ts";

/** The routes to one service: those that were asked for, then its own. */
export function routesTo({ spec, short, options }: ServiceContext): readonly IngressRoute[] {
  const asked = options.ingress.filter(({ service }) => service === short || service === spec.name);
  const own = (spec.ingress ?? []).map(({ host, path, port }) => ({ host, path, port, service: spec.name }));
  const isAsked = (route: IngressRoute): boolean => asked.some((other) => keyOf(other) === keyOf(route));
  return [...asked, ...own.filter((route) => !isAsked(route))];
}

function keyOf({ host, path = "/" }: IngressRoute): string {
  return `${host}${path}`;
}

/** What an Ingress has no word for, or another one with each controller. */
export function noteRoutes({ spec, note, options }: ServiceContext): void {
  for (const route of spec.ingress ?? []) {
    const { host, path, port: _port, tls, ...rest } = route;
    const at = `${host}${path}`;
    if (tls !== "off" && options.ingressTls === undefined)
      note(
        "ingress.tls",
        `${at}: its certificate (${told(tls)}) does not come by itself`,
        "give --ingress-tls SECRET, or annotate the Ingress for cert-manager",
      );
    if (tls === "off")
      note("ingress.tls", `${at}: whether HTTP leads to HTTPS is the controller's choice`, "see its annotations");
    for (const [key, value] of Object.entries(rest))
      note(
        `ingress.${key}`,
        `${at}: ${told(value)}: an Ingress has no field for it`,
        "use an annotation of your controller",
      );
  }
}

/** Throws `invalid_input` for a host that is none or is there twice, and for a service that is not there. */
export function checkRoutes({ ingress }: ExportOptions, services: readonly ServiceContext[]): void {
  const hosts = new Set<string>();
  const own = services.flatMap(carriedBy);
  for (const { host, path = "/", service } of [...ingress, ...own.filter((route) => !ingress.includes(route))]) {
    const found = services.find(({ short, spec }) => short === service || spec.name === service);
    if (found === undefined)
      throw refuse(
        host,
        `there is no service '${service}'`,
        `name one of ${services.map(({ short }) => short).join(", ")}`,
      );
    if (found.spec.template.container.networkMode === "none")
      throw refuse(host, `service '${service}' has no network`, "leave network_mode: none out");
    if (!isSubdomain(host.replace(/^\*\./, "")))
      throw refuse(host, "it is no host name", "write it in lower case, as shop.example.org");
    const key = keyOf({ host, path, service });
    if (hosts.has(key)) throw refuse(host, "it is there twice", "send a host to one service");
    hosts.add(key);
  }
}

/** Throws `invalid_input` where a route leaves the port open and the service has not exactly one. */
export function ingressOf(
  { stack, options, labels, services }: StackContext,
  exposures: ReadonlyMap<ServiceContext, Exposure>,
): readonly Manifest[] {
  const { ingressClass, ingressTls } = options;
  const paths = new Map<string, Value[]>(options.ingress.map(({ host }) => [host, []]));
  for (const context of services) {
    for (const { host, path = "/", port } of carriedBy(context)) {
      const number = port ?? onlyPort(exposures.get(context)?.inside ?? []);
      if (number === undefined)
        throw refuse(
          host,
          `service '${context.short}' has not exactly one known TCP port`,
          `write ${host}=${context.short}:PORT`,
        );
      const backend = { service: { name: context.name, port: { number } } };
      paths.set(host, [...(paths.get(host) ?? []), { path, pathType: "Prefix", backend }]);
    }
  }
  if (paths.size === 0) return [];
  const rules = [...paths].map(([host, list]) => ({ host, http: { paths: list } }));
  const tls = ingressTls === undefined ? {} : { tls: [{ hosts: [...paths.keys()], secretName: ingressTls }] };
  const spec = { ...(ingressClass === undefined ? {} : { ingressClassName: ingressClass }), ...tls, rules };
  const metadata = { name: dnsLabel(stack.name), labels };
  return [{ apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata, spec }];
}

/** What has no network gets no requests. */
function carriedBy(context: ServiceContext): readonly IngressRoute[] {
  return context.spec.template.container.networkMode === "none" ? [] : routesTo(context);
}

function refuse(host: string, reason: string, wayOut: string): DavitError {
  return new DavitError("invalid_input", `send ${host} to a service: ${reason}`, { wayOut });
}
