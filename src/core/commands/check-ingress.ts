// Whether a stack's HTTP routes can be accepted: names, options, what they lead to, and that no two services claim one host and path. Pure.

import {
  covers,
  hostProblem,
  type IngressSpec,
  isPublicName,
  MAX_ROUTES_PER_SERVICE,
  optionsProblems,
  pathProblem,
  routeKey,
  tcpProblems,
} from "../model/ingress.ts";
import { isJobMode, type ServiceSpec } from "../model/service-spec.ts";
import { type Fault, invalid } from "./fault.ts";

const DOOR_PORTS = [80, 443];

/** What is wrong with a service's routes by themselves. */
export function ingressFaults(spec: ServiceSpec): readonly Fault[] {
  const { name, ingress = [], mode, template } = spec;
  if (ingress.length === 0) return [];
  const faults: string[] = [];
  if (ingress.length > MAX_ROUTES_PER_SERVICE)
    faults.push(`has ${ingress.length} ingress routes: at most ${MAX_ROUTES_PER_SERVICE}`);
  if (isJobMode(mode)) faults.push("is a job and has ingress routes: nobody may call a job");
  const { networkMode } = template.container;
  if (networkMode !== undefined)
    faults.push(`has ingress routes and network mode ${networkMode}: its containers have no address to lead to`);
  return [...faults, ...ingress.flatMap(routeProblems)].map((fault) => invalid(name, fault));
}

function routeProblems(route: IngressSpec): readonly string[] {
  const { host, path, port } = route;
  const name = hostProblem(host) ?? pathProblem(path);
  if (name !== undefined) return [`ingress: ${name}`];
  const isPort = Number.isSafeInteger(port) && port >= 1 && port <= 65_535;
  const problems = [
    ...(isPort ? [] : [`port ${port} is not from 1 to 65535`]),
    ...optionsProblems(route),
    ...tcpProblems(route),
  ];
  return problems.map((problem) => `ingress ${host}${path}: ${problem}`);
}

/** What the routes of a stack take from others. `outside`: the services of no stack and of other stacks. `hasDnsHook`: wildcards can be proved. */
export function ingressClashes(
  specs: readonly ServiceSpec[],
  outside: readonly ServiceSpec[],
  hasDnsHook: boolean,
): readonly Fault[] {
  const owners = new Map<string, string>();
  for (const { name, ingress = [] } of outside) for (const route of ingress) owners.set(routeKey(route), name);
  const faults: Fault[] = [];
  for (const { name, ingress = [] } of specs) {
    for (const route of ingress) {
      const shown = `${route.host}${route.path}`;
      const owner = owners.get(routeKey(route));
      owners.set(routeKey(route), name);
      if (owner !== undefined)
        faults.push({ code: "conflict", where: name, message: `ingress ${shown}: ${owner} has it already` });
      if (route.tls === "auto" && route.host.startsWith("*.") && isPublicName(route.host) && !hasDnsHook)
        faults.push(wildcard(name, route.host));
    }
  }
  return [
    ...faults,
    ...tcpFaults([...specs, ...outside], new Set(specs)),
    ...doorFaults([...specs, ...outside], new Set(specs)),
  ];
}

/** Whoever has a host's connections to port 443 has all of them: no path of it can be another route's. */
function tcpFaults(all: readonly ServiceSpec[], mine: ReadonlySet<ServiceSpec>): readonly Fault[] {
  const routes = all.flatMap((spec) => (spec.ingress ?? []).map((route) => ({ spec, route })));
  return routes
    .filter(({ route }) => route.protocol === "tcp")
    .flatMap(({ spec: owner, route: { host } }) =>
      routes
        .filter(({ route }) => route.path !== "/" && covers(host, route.host))
        .filter(({ spec }) => mine.has(spec) || mine.has(owner))
        .map(({ spec, route }) => ({
          code: "conflict" as const,
          where: spec.name,
          message: `ingress ${route.host}${route.path}: ${owner.name} has all connections to ${host}, by protocol tcp`,
        })),
    );
}

function wildcard(where: string, host: string): Fault {
  return {
    code: "invalid_input",
    where,
    message: `ingress ${host}: a certificate for a wildcard is given only for a proof by DNS, and the coordinator has no hook for it`,
    wayOut:
      "start it with davit up --acme-dns-hook PROGRAM, add a certificate of your own (davit certificate add), or name each host",
  };
}

/** Ports 80 and 443 of every node are the door's as soon as there is a route. */
function doorFaults(all: readonly ServiceSpec[], mine: ReadonlySet<ServiceSpec>): readonly Fault[] {
  const routed = all.find(({ ingress = [] }) => ingress.length > 0);
  if (routed === undefined) return [];
  return all.flatMap((spec) => {
    const port = spec.template.ports.find(
      ({ protocol, published }) =>
        protocol === "tcp" && published.from === published.to && DOOR_PORTS.includes(published.from),
    );
    if (port === undefined || (!mine.has(spec) && !mine.has(routed))) return [];
    const { from } = port.published;
    const message = `publishes tcp port ${from}, which the ingress routes of ${routed.name} need on every node`;
    const wayOut = "publish another port, or reach it by an ingress route as well";
    return [{ code: "conflict" as const, where: spec.name, message, wayOut }];
  });
}
