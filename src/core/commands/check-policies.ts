// Whether a service's update and rollback policies can be kept at all: their numbers, and what a trial of new tasks beside the old ones asks
// for. Pure.

import { isJobMode, type ServiceSpec } from "../model/service-spec.ts";
import type { UpdatePolicy, UpdateStrategy } from "../model/update-policy.ts";
import { needsStopFirst } from "../reconcile/slots.ts";
import { type Fault, invalid } from "./fault.ts";

/** Less than this ends changes that only take their time. */
const MIN_DEADLINE_MS = 1_000;

export function policyFaults(spec: ServiceSpec): readonly Fault[] {
  const { name: where, update, rollback } = spec;
  const { strategy } = update;
  return [
    ...numberFaults(where, "update", update),
    ...numberFaults(where, "rollback", rollback),
    ...(strategy === undefined ? [] : [...strategyFaults(where, strategy), ...trialFaults(spec, strategy)]),
    ...(rollback.strategy === undefined
      ? []
      : [invalid(where, `rollback: goes straight, so it takes no strategy ${rollback.strategy.kind}`)]),
  ];
}

function numberFaults(where: string, name: string, policy: UpdatePolicy): readonly Fault[] {
  const faults: Fault[] = [];
  const fault = (message: string): void => void faults.push(invalid(where, `${name}: ${message}`));
  if (!Number.isSafeInteger(policy.parallelism) || policy.parallelism < 0)
    fault("parallelism must be a whole number, 0 or more");
  if (policy.parallelismPercent !== undefined && !isPercent(policy.parallelismPercent))
    fault(`a parallelism of ${policy.parallelismPercent} % is not a whole percentage from 1 to 100`);
  if (!(policy.maxFailureRatio >= 0 && policy.maxFailureRatio <= 1)) fault("the failure ratio must be from 0 to 1");
  if (!(policy.delayMs >= 0) || !(policy.monitorMs >= 0)) fault("delay and monitor must not be negative");
  if (policy.progressDeadlineMs !== undefined && !(policy.progressDeadlineMs >= MIN_DEADLINE_MS))
    fault("the progress deadline must be a second or more");
  return faults;
}

function strategyFaults(where: string, strategy: UpdateStrategy): readonly Fault[] {
  const faults: Fault[] = [];
  const fault = (message: string): void => void faults.push(invalid(where, `update: ${message}`));
  if (strategy.holdMs !== undefined && !(strategy.holdMs >= 0)) fault("hold must not be negative");
  if (strategy.kind === "blue-green") {
    if (!(strategy.keepMs >= 0)) fault("keep must not be negative");
    return faults;
  }
  const { canaries, weight } = strategy;
  if ("percent" in canaries && !isPercent(canaries.percent))
    fault(`canaries of ${canaries.percent} % are not a whole percentage from 1 to 100`);
  if ("tasks" in canaries && !(Number.isSafeInteger(canaries.tasks) && canaries.tasks >= 1))
    fault(`${canaries.tasks} canaries: must be a whole number, 1 or more`);
  if (!(Number.isSafeInteger(weight) && weight >= 0 && weight <= 100))
    fault(`a weight of ${weight} is not a whole number from 0 to 100`);
  return faults;
}

/** New tasks run beside the old ones: what both would hold alone cannot be tried. */
function trialFaults({ name, mode, template }: ServiceSpec, { kind }: UpdateStrategy): readonly Fault[] {
  if (isJobMode(mode)) return [invalid(name, `update: a job is not updated, so it takes no strategy ${kind}`)];
  const faults: Fault[] = [];
  if (template.onLeaseLost === "stop")
    faults.push({
      ...invalid(name, `update: ${kind} runs two versions side by side, and on_lease_lost: stop forbids two of a slot`),
      wayOut: "leave the strategy out: the old task then stops first",
    });
  else if (needsStopFirst(template))
    faults.push({
      ...invalid(name, `update: ${kind} runs two versions side by side, and both would write to its volume`),
      wayOut: "mount the volume read-only, or leave the strategy out: the old task then stops first",
    });
  const fixed = template.ports.find(({ published }) => published.from === published.to);
  if (mode.kind === "global" && fixed !== undefined)
    faults.push({
      ...invalid(
        name,
        `update: ${kind} runs two versions side by side on every node, and both would take port ${fixed.published.from}`,
      ),
      wayOut: "publish a range of ports, or leave the strategy out: the old task then stops first",
    });
  return faults;
}

function isPercent(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= 100;
}
