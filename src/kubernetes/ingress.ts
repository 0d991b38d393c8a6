// Host names to an Ingress that sends their requests to services. Pure.

import { DavitError } from "../core/model/errors.ts";
import type { ServiceContext, StackContext } from "./context.ts";
import type { ExportOptions, IngressRoute, Manifest } from "./manifest.ts";
import { dnsLabel, isSubdomain } from "./names.ts";
import { type Exposure, onlyPort } from "./services.ts";

/** The routes to one service. */
export function routesTo({ spec, short, options }: ServiceContext): readonly IngressRoute[] {
  return options.ingress.filter(({ service }) => service === short || service === spec.name);
}

/** Throws `invalid_input` for a host that is none or is there twice, and for a service that is not there. */
export function checkRoutes({ ingress }: ExportOptions, services: readonly ServiceContext[]): void {
  const hosts = new Set<string>();
  for (const { host, service } of ingress) {
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
    if (hosts.has(host)) throw refuse(host, "it is there twice", "send a host to one service");
    hosts.add(host);
  }
}

/** Throws `invalid_input` where a route leaves the port open and the service has not exactly one. */
export function ingressOf(
  { stack, options, labels, services }: StackContext,
  exposures: ReadonlyMap<ServiceContext, Exposure>,
): readonly Manifest[] {
  if (options.ingress.length === 0) return [];
  const { ingressClass, ingressTls } = options;
  const rules = services.flatMap((context) =>
    routesTo(context).map(({ host, port }) => {
      const number = port ?? onlyPort(exposures.get(context)?.inside ?? []);
      if (number === undefined)
        throw refuse(
          host,
          `service '${context.short}' has not exactly one known TCP port`,
          `write ${host}=${context.short}:PORT`,
        );
      const backend = { service: { name: context.name, port: { number } } };
      return { host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } };
    }),
  );
  const order = options.ingress.map(({ host }) => host);
  const sorted = rules.toSorted((a, b) => order.indexOf(a.host) - order.indexOf(b.host));
  const tls = ingressTls === undefined ? {} : { tls: [{ hosts: order, secretName: ingressTls }] };
  const spec = { ...(ingressClass === undefined ? {} : { ingressClassName: ingressClass }), ...tls, rules: sorted };
  const metadata = { name: dnsLabel(stack.name), labels };
  return [{ apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata, spec }];
}

function refuse(host: string, reason: string, wayOut: string): DavitError {
  return new DavitError("invalid_input", `send ${host} to a service: ${reason}`, { wayOut });
}
