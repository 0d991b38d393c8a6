// Priorities to PriorityClasses: one for each that a service of the stack has. Pure.

import type { ServiceContext, StackContext } from "./context.ts";
import type { Manifest } from "./manifest.ts";
import { dnsLabel, MAX_SUBDOMAIN } from "./names.ts";

/** Undefined for services that ask for none. */
export function priorityClassName({ spec, selector, options }: ServiceContext): string | undefined {
  const { priority = 0, preempt = false } = spec.template.placement;
  if (priority === 0 && !preempt) return undefined;
  // classes belong to the whole cluster
  const owner = [options.namespace, selector["app.kubernetes.io/part-of"]].filter((part) => part !== undefined);
  return dnsLabel(`${owner.join("-")}-priority-${priority}${preempt ? "-preempting" : ""}`, MAX_SUBDOMAIN);
}

export function priorityClasses({ services, labels }: StackContext): readonly Manifest[] {
  const classes = new Map<string, Manifest>();
  for (const context of services) {
    const name = priorityClassName(context);
    if (name === undefined) continue;
    const { priority = 0, preempt = false } = context.spec.template.placement;
    classes.set(name, {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name, labels },
      value: priority,
      globalDefault: false,
      preemptionPolicy: preempt ? "PreemptLowerPriority" : "Never",
    });
  }
  return [...classes.values()];
}
