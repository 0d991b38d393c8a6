// What a user does about where tasks run and how large they are, apart from new versions of images: restarts, rebalances, other limits, named
// resources, drains with a deadline.

import type { Command } from "../../../src/core/commands/command.ts";
import { updateNode } from "../../../src/core/commands/nodes.ts";
import { rebalance } from "../../../src/core/commands/rebalance.ts";
import { restartService } from "../../../src/core/commands/services.ts";
import type { ServiceSpec, StackSpec } from "../../../src/core/model/service-spec.ts";
import type { Chance } from "../kernel/chance.ts";
import type { Cluster } from "../world/cluster.ts";
import type { Host } from "../world/host.ts";

type Act = { readonly what: string; readonly command: Command<unknown> };

/** One such act; undefined when there is nothing to do it to. */
export function placementAct(cluster: Cluster, chance: Chance): Act | undefined {
  const service = chance.pick([...cluster.state.service.values()]);
  const host = chance.pick(cluster.nodes);
  if (service === undefined || host === undefined) return undefined;
  switch (chance.below(5)) {
    case 0:
      return { what: `restart ${service.name}`, command: restartService({ ref: service.id }) };
    case 1:
    case 2: {
      const { running } = cluster;
      if (running === undefined) return undefined;
      return { what: "rebalance", command: rebalance({ worldOf: (state) => running.coordinator.worldOf(state) }) };
    }
    case 3: {
      const patch = { availability: "drain", drainDeadlineMs: chance.one(5_000, 20_000, 60_000) } as const;
      return {
        what: `drain ${host.name} within ${patch.drainDeadlineMs} ms`,
        command: updateNode({ ref: host.id, patch }),
      };
    }
    default:
      return equipping(host, chance.one<number | readonly string[]>(0, 1, 2, 3, ["a"], ["a", "b"], ["b", "c", "d"]));
  }
}

/** Says how many devices a node has, or which. */
export function equipping(host: Host, gpu: number | readonly string[]): Act {
  return {
    what: `gpu=${String(gpu)} on ${host.name}`,
    command: updateNode({ ref: host.id, patch: { generic: { gpu } } }),
  };
}

/** The stack with other limits and reservations of one service. */
export function resized(stack: StackSpec, chance: Chance): StackSpec {
  const at = chance.below(stack.services.length);
  const services = stack.services.map((service, index): ServiceSpec => {
    if (index !== at) return service;
    const { resources } = service.template;
    const limits = { ...resources.limits, cpus: chance.one(0.5, 1, 2), memoryBytes: chance.one(64e6, 128e6) };
    const reservations = { ...resources.reservations, cpus: chance.one(0, 0.25, 0.5, 1, 2) };
    return { ...service, template: { ...service.template, resources: { limits, reservations } } };
  });
  return { ...stack, services };
}

/** The services of a stack, some of which wait for those before them. */
export function ordered(services: readonly ServiceSpec[], chance: Chance): readonly ServiceSpec[] {
  return services.map((service, at): ServiceSpec => {
    const before = chance.pick(services.slice(0, at));
    if (before === undefined || !chance.happens(0.35)) return service;
    return {
      ...service,
      dependsOn: [
        {
          service: before.name,
          condition: chance.one("service_healthy", "service_healthy", "service_started"),
          required: chance.happens(0.8),
          restart: chance.happens(0.2),
        },
      ],
    };
  });
}
