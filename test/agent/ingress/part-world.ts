// The ingress part over a proxy in memory, and short words for what a node is told.

import { newAuthority, newCertificate, newKey } from "../../../src/certificates/x509.ts";
import type { IngressSpec } from "../../../src/core/model/ingress.ts";
import { asId } from "../../../src/core/model/ids.ts";
import type { Endpoint } from "../../../src/core/model/routes.ts";
import type { NetworkView } from "../../../src/ports/node-network.ts";
import { createHasher } from "../../../src/system/hasher.ts";
import { IngressPart } from "../../../workers/agent/network/ingress/ingress-part.ts";
import { ProxyUnit } from "../../../workers/agent/network/ingress/proxy-unit.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { DIRECTORY, FakeProxy, MemoryFiles } from "./fake-proxy.ts";

const hasher = createHasher();
const PATHS = { directory: DIRECTORY, runtimeDirectory: "/run/davit-ingress" };
const SILENT = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => SILENT,
};

/** A host with its proxy. */
export class DoorHost {
  readonly files = new MemoryFiles();
  readonly stateFiles = new MemoryFiles();
  readonly proxy = new FakeProxy(this.files);
  readonly clock = new FakeClock();
  owners: Record<string, string> = {};

  /** An agent's part: a second one over the same host is what a restart leaves. */
  newPart(): IngressPart {
    return new IngressPart({
      paths: PATHS,
      files: this.files,
      stateFiles: this.stateFiles,
      unit: new ProxyUnit(this.proxy.run, PATHS, new MemoryFiles()),
      socket: this.proxy,
      clock: this.clock,
      log: SILENT,
      hash: (text) => hasher.hash(text),
      portOwners: () => (port) => this.owners[port],
    });
  }
}

/** Of port 8080, without TLS unless told. */
export const route = (host: string, more: Partial<IngressSpec> = {}): IngressSpec => ({
  host,
  path: "/",
  port: 8080,
  tls: "off",
  ...more,
});

/** One that takes requests. */
export function endpoint(address: string, more: Partial<Endpoint> = {}): Endpoint {
  return { taskId: asId(`t${address}`), nodeId: asId("n1"), address, slot: 1, weight: 100, standing: "in", ...more };
}

export type DoorService = {
  readonly routes: readonly IngressSpec[];
  readonly endpoints?: readonly Endpoint[];
  readonly maintenance?: boolean;
};

/** What a node is told: services by id. */
export function view(services: Readonly<Record<string, DoorService>>, more: Partial<NetworkView> = {}): NetworkView {
  const all = Object.entries(services);
  return {
    services: all.map(([id, { endpoints = [] }]) => ({ kind: "service", serviceId: asId(id), name: id, endpoints })),
    ingress: all.map(([id, { routes, maintenance = false }]) => ({
      kind: "ingress",
      serviceId: asId(id),
      name: id,
      maintenance,
      routes,
    })),
    certificates: [],
    challenges: [],
    ...more,
  } as unknown as NetworkView;
}

/** A chain with its key, from an authority of its own. */
export function pemFor(host: string): string {
  const [authorityKey, keyPem] = [newKey(), newKey()];
  const certificatePem = newAuthority("test", authorityKey, 0, 1e12);
  const authority = { certificatePem, keyPem: authorityKey };
  return `${newCertificate({ hosts: [host], keyPem, authority, nowMs: 0, lifetimeMs: 1e12 })}${keyPem}`;
}
