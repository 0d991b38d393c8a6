// Name and labels of an attempt's container: by the labels the agent finds its own again, whatever it has forgotten. Pure.

import type { TaskWork } from "../../../src/core/model/work.ts";
import type { ContainerRequest } from "../../../src/ports/container-engine.ts";
import { LIMITS_LABEL, limitsKey } from "./resize.ts";
import { BRIDGE, type PlanInput } from "./types.ts";

export const ADDRESS_LABEL = "davit.address";

/** What the engine is asked to make for one attempt. */
export function containerRequest(input: PlanInput, work: TaskWork, attempt: number): ContainerRequest {
  return {
    name: containerName(work, input.node?.nodeName ?? "node", attempt),
    labels: {
      "davit.cluster": input.clusterId,
      "davit.node": input.nodeId,
      "davit.service": work.serviceName,
      "davit.service.id": work.serviceId,
      ...(work.stack === undefined ? {} : { "davit.stack": work.stack, "com.docker.stack.namespace": work.stack }),
      "davit.task": work.taskId,
      "davit.slot": String(work.slot),
      "davit.version": String(work.specVersion),
      "davit.attempt": String(attempt),
      [ADDRESS_LABEL]: work.address,
      [LIMITS_LABEL]: limitsKey(work.resources),
      ...(work.hostPorts.length === 0
        ? {}
        : { "davit.ports": work.hostPorts.map((port) => `${port.published}/${port.protocol}`).join(",") }),
    },
    task: work,
    network: BRIDGE,
  };
}

/** `<service>.<slot or node>.<task id's first 8>.<attempt>` */
export function containerName(work: TaskWork, nodeName: string, attempt: number): string {
  return `${work.serviceName}.${work.slot === 0 ? nodeName : work.slot}.${work.taskId.slice(0, 8)}.${attempt}`;
}
