// A port that a service is published on. Pure.

import type { PortProtocol, PortSpec } from "./service-spec.ts";

/** A port that every node answers on for a service. */
export type PublishedPort = {
  readonly published: number;
  readonly target: number;
  readonly protocol: PortProtocol;
  /** Host address that it is bound to; absent: every address of the host. */
  readonly hostIp?: string;
};

/** Whether a port is what a specification asks for. */
export function isPublishedBy(port: PublishedPort, spec: PortSpec): boolean {
  return (
    port.target === spec.target &&
    port.protocol === spec.protocol &&
    port.hostIp === spec.hostIp &&
    port.published >= spec.published.from &&
    port.published <= spec.published.to
  );
}

/** The ports of a version: as they were given, and as a version says itself that goes back to other single ports. */
export function publishedOf(specs: readonly PortSpec[], given: readonly PublishedPort[]): readonly PublishedPort[] {
  return specs
    .filter(({ mode }) => mode === "ingress")
    .flatMap((spec) => given.find((port) => isPublishedBy(port, spec)) ?? single(spec));
}

function single({ target, published, protocol, hostIp }: PortSpec): readonly PublishedPort[] {
  if (published.from !== published.to) return [];
  return [{ published: published.from, target, protocol, ...(hostIp === undefined ? {} : { hostIp }) }];
}

/** Whether a host address means every address of the host. */
export function isAnyAddress(ip: string | undefined): boolean {
  return ip === undefined || ip === "0.0.0.0" || ip === "::";
}

/** Whether two ports cannot be had at once on one host; a port without a host address takes all of them. */
export function collides(a: PublishedPort, b: PublishedPort): boolean {
  if (a.published !== b.published || a.protocol !== b.protocol) return false;
  return isAnyAddress(a.hostIp) || isAnyAddress(b.hostIp) || a.hostIp === b.hostIp;
}
