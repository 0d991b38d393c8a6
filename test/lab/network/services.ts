// The services of the tests of packet rules: what differs between them is who shares a network with whom, who is published, and where tasks are.

import { asId } from "../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../src/core/model/routes.ts";
import { endpoint, inNetworks, service } from "../../agent/firewall/views.ts";

const NODES = [1, 2, 3] as const;

/** A service with a task at .<last> of each of these nodes. */
export function spread(
  number: number,
  name: string,
  last: number,
  changes: Partial<ServiceRoutes> = {},
  on: readonly number[] = NODES,
): ServiceRoutes {
  return service(
    number,
    name,
    on.map((node) => endpoint(`10.210.${node}.${last}`)),
    changes,
  );
}

/** On all nodes, published to everybody, and at 127.0.0.1. */
export const web = spread(1, "web", 10, {
  ports: [
    { published: 8_000, target: 8_080, protocol: "tcp" },
    { published: 9_000, target: 9_000, protocol: "udp" },
    { published: 5_432, target: 8_080, protocol: "tcp", hostIp: "127.0.0.1" },
  ],
});
/** On all nodes, in a network of its own, by client. */
export const other = spread(2, "other", 11, { networks: inNetworks("apart"), balance: "client" });
/** On the third node only, published. */
export const one = spread(
  3,
  "one",
  12,
  {
    ports: [
      { published: 8_003, target: 8_080, protocol: "tcp" },
      { published: 9_003, target: 9_000, protocol: "udp" },
    ],
  },
  [3],
);
/** In an internal network, and published all the same. */
export const closed = spread(
  4,
  "closed",
  13,
  { networks: inNetworks("internal"), ports: [{ published: 8_004, target: 8_080, protocol: "tcp" }] },
  [1, 2],
);
/** Only `web` may call it, on one port. */
export const db = spread(
  5,
  "db",
  14,
  { policy: [{ from: asId("s1"), ports: [{ port: 8_080, protocol: "tcp" }] }] },
  [1, 2],
);
const empty = service(6, "empty", [], { ports: [{ published: 8_006, target: 8_080, protocol: "tcp" }] });
/** All of them, and one without a task. */
export const ALL = [web, other, one, closed, db, empty];
