// Builders of stacks for tests: a service is an image and what differs from the plain case.

import type {
  NetworkSpec,
  ServiceMode,
  ServiceSpec,
  StackSpec,
  TaskTemplate,
  VolumeSpec,
} from "../../src/core/model/service-spec.ts";
import { template, UPDATE } from "./world-model.ts";

export type ServiceChanges = {
  readonly image?: string;
  readonly replicas?: number;
  readonly mode?: ServiceMode;
  readonly labels?: Readonly<Record<string, string>>;
  readonly template?: Partial<TaskTemplate>;
  readonly env?: Readonly<Record<string, string>>;
  readonly volume?: string;
};

/** A service named `<stack>_<name>`. */
export function serviceOf(stack: string, name: string, changes: ServiceChanges = {}): ServiceSpec {
  const from = template({
    image: changes.image ?? "web:v1",
    ...(changes.volume === undefined ? {} : { volume: changes.volume }),
  });
  return {
    name: `${stack}_${name}`,
    stack,
    labels: changes.labels ?? {},
    mode: changes.mode ?? { kind: "replicated", replicas: changes.replicas ?? 2 },
    template: { ...from, container: { ...from.container, env: changes.env ?? {} }, ...changes.template },
    update: UPDATE,
    rollback: UPDATE,
  };
}

/** A stack of these services, with the volumes that they mount. */
export function stackOf(
  name: string,
  services: readonly ServiceSpec[],
  networks: readonly NetworkSpec[] = [],
): StackSpec {
  const mounted = services.flatMap((service) =>
    service.template.container.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount.volume] : [])),
  );
  return { name, services, volumes: [...new Set(mounted)].map((volume) => volumeOf(name, volume)), networks };
}

export function volumeOf(stack: string, name: string): VolumeSpec {
  return { name, stack, driver: "local", driverOpts: {}, labels: {}, external: false };
}

export function networkOf(stack: string, name: string): NetworkSpec {
  return { name: `${stack}_${name}`, stack, driver: "bridge", internal: false, labels: {}, external: false };
}
