// A process of its own for the bench: the agent's name server with a thousand services of three tasks, for one asker on loopback.

import { createSystemClock } from "../src/system/clock.ts";
import { asId } from "../src/core/model/ids.ts";
import type { ServiceRoutes } from "../src/core/model/routes.ts";
import { Forwarder } from "../workers/agent/network/dns/forwarder.ts";
import { listen } from "../workers/agent/network/dns/name-server.ts";
import { Responder } from "../workers/agent/network/dns/respond.ts";
import { Zone } from "../workers/agent/network/dns/zone.ts";

const [host = "127.0.0.1", port = "0", count = "1000"] = process.argv.slice(2);

const networks = [{ network: "bench", aliases: [] }];
const services = Array.from({ length: Number(count) }, (_, at): ServiceRoutes => {
  const name = `service-${at}`;
  const address = `127.224.${at >> 8}.${at & 0xff}`;
  const endpoints = [1, 2, 3].map((slot) => ({
    taskId: asId<"task">(`${name}-${slot}`),
    nodeId: asId<"node">("n1"),
    address: at === 0 && slot === 1 ? "127.0.0.1" : `127.${slot}.${at >> 8}.${at & 0xff}`,
    slot,
    weight: 100,
    standing: "in" as const,
  }));
  return {
    kind: "service",
    serviceId: asId<"service">(name),
    name: `bench_${name}`,
    stack: "bench",
    shortName: name,
    address,
    balance: "random",
    networks,
    ports: [],
    namedPorts: [],
    endpoints,
  };
});
const mesh = {
  kind: "mesh",
  addressPool: "127.0.0.0/8",
  servicePool: "127.224.0.0/11",
  encryption: "off",
  port: 1,
  nodes: [],
} as const;
const zone = new Zone({ mesh, services, node: { nodeId: asId<"node">("n1") } as never }, (items) => items);
const knowledge = { zone, responder: new Responder(zone), serversOf: () => undefined };
const clock = createSystemClock();
const forwarder = new Forwarder(clock, "/dev/null", () => new Set());
await listen(host, Number(port), () => knowledge, forwarder, clock);
console.log("ready");
