// What every part of an export is given: the stack, the user's choices, the names that were handed out, and where notes go. Pure.

import type { ServiceSpec, StackSpec, VolumeSpec } from "../core/model/service-spec.ts";
import { type ExportOptions, type Note, type Noting } from "./manifest.ts";
import { dnsLabel, isQualifiedName, MAX_WORKLOAD_NAME, Names, shortName } from "./names.ts";
import { planVolumes, type VolumePlan } from "./volumes.ts";

export type Labels = Readonly<Record<string, string>>;

export type StackContext = {
  readonly stack: StackSpec;
  readonly options: ExportOptions;
  readonly labels: Labels;
  readonly services: readonly ServiceContext[];
  readonly volumes: ReadonlyMap<string, VolumePlan>;
  /** Names of Services, those of aliases and published ports included. */
  readonly serviceNames: Names;
  /** Ports of the nodes that a Service of the stack has: each only once. */
  readonly nodePorts: Set<number>;
  readonly noteOn: (what: string) => Noting;
};

export type ServiceContext = {
  readonly spec: ServiceSpec;
  /** As in the Compose file. */
  readonly short: string;
  /** As in Kubernetes. */
  readonly name: string;
  readonly labels: Labels;
  /** What its pods are found by. */
  readonly selector: Labels;
  readonly note: Noting;
  readonly options: ExportOptions;
  /** What the pods of a service of the stack are found by, by its full name. */
  readonly selectorOf: (service: string) => Labels | undefined;
};

/** `notes` is added to. */
export function contextOf(stack: StackSpec, options: ExportOptions, notes: Note[]): StackContext {
  const noteOn =
    (what: string): Noting =>
    (key, message, wayOut) =>
      void notes.push({ at: what === "" ? key : `${what}: ${key}`, message, wayOut });
  const partOf = { "app.kubernetes.io/part-of": dnsLabel(stack.name) };
  const managed = { "app.kubernetes.io/managed-by": "davit" };
  const serviceNames = new Names(MAX_WORKLOAD_NAME);
  const names = serviceNames.takeAll(stack.services.map((spec) => shortName(spec.name, stack.name)));
  const selectors = new Map(
    stack.services.map((spec) => {
      const short = shortName(spec.name, stack.name);
      return [spec.name, { "app.kubernetes.io/name": names.get(short) ?? short, ...partOf }] as const;
    }),
  );
  const selectorOf = (service: string): Labels | undefined => selectors.get(service);
  const services = stack.services.map((spec): ServiceContext => {
    const short = shortName(spec.name, stack.name);
    const name = names.get(short) ?? short;
    const selector = { "app.kubernetes.io/name": name, ...partOf };
    return {
      spec,
      short,
      name,
      selector,
      labels: { ...selector, ...managed },
      note: noteOn(short),
      options,
      selectorOf,
    };
  });
  const volumes = planVolumes(stack, noteOn);
  return {
    stack,
    options,
    labels: { ...partOf, ...managed },
    services,
    volumes,
    serviceNames,
    nodePorts: new Set(),
    noteOn,
  };
}

/** Labels of engines may hold anything, annotations nearly so; a key that Kubernetes does not take is noted. */
export function annotationsOf(labels: Labels, key: string, note: Noting): Labels | undefined {
  const refused = Object.keys(labels).filter((name) => !isQualifiedName(name));
  if (refused.length > 0)
    note(
      key,
      `${refused.map((name) => `'${name}'`).join(", ")}: Kubernetes takes no such key of an annotation`,
      "use letters, digits and . _ -, at most 63, with one / after a domain if any",
    );
  const taken = Object.entries(labels).filter(([name]) => isQualifiedName(name));
  return taken.length === 0 ? undefined : Object.fromEntries(taken);
}

export function volumeNamed(stack: StackSpec, name: string): VolumeSpec {
  const found = stack.volumes.find((volume) => volume.name === name);
  return found ?? { name, stack: stack.name, driver: "local", driverOpts: {}, labels: {}, external: false };
}
