// A stack to the manifests of Kubernetes that come closest to it, and notes on everything that they do not carry: no field of a
// specification is dropped in silence. The same stack gives the same manifests in the same order. Pure.

import { DavitError } from "../core/model/errors.ts";
import type { Dependency, ServiceSpec, StackSpec } from "../core/model/service-spec.ts";
import { claims } from "./claims.ts";
import { configMaps } from "./configs.ts";
import { contextOf, type ServiceContext, type StackContext } from "./context.ts";
import { environmentOf } from "./environment.ts";
import { checkRoutes, ingressOf, noteRoutes, routesTo } from "./ingress.ts";
import { compact, type Exported, type ExportOptions, type Manifest, type Note } from "./manifest.ts";
import { podMountsOf } from "./mounts.ts";
import { networkPolicies } from "./network-policies.ts";
import { priorityClasses } from "./priorities.ts";
import { noteReach } from "./reach-notes.ts";
import { type Exposure, exposureOf, servicesOf } from "./services.ts";
import { workloadOf } from "./workload.ts";

/** What others need is before them. */
const ORDER = [
  "PriorityClass",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "ConfigMap",
  "Secret",
  "NetworkPolicy",
  "Service",
  "StatefulSet",
  "Deployment",
  "DaemonSet",
  "Job",
  "CronJob",
  "Ingress",
];
const WITHOUT_NAMESPACE: ReadonlySet<string> = new Set(["PersistentVolume", "PriorityClass"]);

/** Throws `invalid_input` for options that speak of what the stack does not have. */
export function exportStack(stack: StackSpec, options: ExportOptions): Exported {
  const notes: Note[] = [];
  const context = contextOf(stack, options, notes);
  checkRoutes(options, context.services);
  checkSecretEnv(stack, options);
  const exposures = new Map<ServiceContext, Exposure>(
    context.services.map((service) => [service, exposureOf(service, routesTo(service))]),
  );
  const manifests = [
    ...context.services.flatMap((service) => manifestsOf(context, service, exposures.get(service))),
    ...priorityClasses(context),
    ...claims(context),
    ...configMaps(context),
    ...networkPolicies(context, exposures),
    ...ingressOf(context, exposures),
  ];
  return { manifests: manifests.map((manifest) => finished(manifest, options)).sort(byOrder), notes: distinct(notes) };
}

function manifestsOf(
  context: StackContext,
  service: ServiceContext,
  exposure: Exposure | undefined,
): readonly Manifest[] {
  const { inside, published } = exposure ?? { inside: [], published: [] };
  const waits = (service.spec.dependsOn ?? []).map((dependency) => describeDependency(service.spec, dependency));
  noteRoutes(service);
  if (waits.length > 0)
    service.note(
      "depends_on",
      `${waits.join(", ")}: all pods start at once, and are restarted until what they need is there`,
      "wait in an initContainer where that is too rough",
    );
  noteReach(service);
  const mounts = podMountsOf(context, service);
  const { env, secret } = environmentOf(service);
  const isStateful = mounts.isPinned && service.spec.mode.kind === "replicated";
  return [
    ...(secret === undefined ? [] : [secret]),
    workloadOf(context, service, { env, mounts, inside }),
    ...servicesOf(context, service, { inside, published }, isStateful),
  ];
}

/** "db (healthy)": what is not the rule is named. */
function describeDependency({ stack }: ServiceSpec, { service, condition, required, restart }: Dependency): string {
  const name = stack !== undefined && service.startsWith(`${stack}_`) ? service.slice(stack.length + 1) : service;
  const words = [
    ...(condition === "service_started" ? [] : [condition.replace("service_", "").replaceAll("_", " ")]),
    ...(required ? [] : ["if it is there"]),
    ...(restart ? ["restarted with it"] : []),
  ];
  return words.length === 0 ? name : `${name} (${words.join(", ")})`;
}

function checkSecretEnv({ services }: StackSpec, { secretEnv }: ExportOptions): void {
  const known = new Set(services.flatMap((service) => Object.keys(service.template.container.env)));
  const missing = secretEnv.filter((name) => !known.has(name));
  if (missing.length > 0)
    throw new DavitError("invalid_input", `put ${missing.join(", ")} into a Secret: no service has such a variable`, {
      wayOut: "name a variable of environment: or env_file:",
    });
}

function finished(manifest: Manifest, { namespace }: ExportOptions): Manifest {
  const isSpaced = namespace !== undefined && !WITHOUT_NAMESPACE.has(manifest.kind);
  const { apiVersion, kind, metadata, ...rest } = manifest;
  const { name, ...more } = metadata;
  return compact({ apiVersion, kind, metadata: { name, ...(isSpaced ? { namespace } : {}), ...more }, ...rest });
}

function byOrder(a: Manifest, b: Manifest): number {
  return ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** In the order of services; the same thing is said once. */
function distinct(notes: readonly Note[]): readonly Note[] {
  return [...new Map(notes.map((note) => [`${note.at}\n${note.message}`, note])).values()];
}
