// Whether a service can fall asleep and be woken as its specification says. Pure.

import { MAX_WAKING_PORTS, MIN_IDLE_MS } from "../model/scale.ts";
import type { ServiceSpec } from "../model/service-spec.ts";
import { type Fault, invalid } from "./fault.ts";

/** What is wrong with how it falls asleep. */
export function scaleFaults({ name, scale, mode, template, reach }: ServiceSpec): readonly Fault[] {
  if (scale === undefined) return [];
  const faults: string[] = [];
  if (mode.kind !== "replicated") faults.push(`is ${mode.kind}: only replicated services fall asleep`);
  if (scale.idleMs < MIN_IDLE_MS)
    faults.push(`falls asleep after ${scale.idleMs} ms: at least ${MIN_IDLE_MS / 1_000} s`);
  if (template.container.networkMode !== undefined)
    faults.push(`has network mode ${template.container.networkMode}: its containers have no address to be called at`);
  if (reach?.endpointMode === "dnsrr")
    faults.push("has no address of its own (endpoint_mode: dnsrr): callers would find nobody while it is asleep");
  if (template.ports.some((port) => port.mode === "host"))
    faults.push("publishes ports in host mode: nobody listens on them while it is asleep");
  if (scale.ports.length === 0)
    faults.push("names no TCP port at which it is woken: in ports, expose or x-davit.ingress");
  if (scale.ports.length > MAX_WAKING_PORTS)
    faults.push(`has ${scale.ports.length} TCP ports: at most ${MAX_WAKING_PORTS} can wake it`);
  return faults.map((fault) => invalid(name, `x-davit.scale: ${fault}`));
}
