// Services of all kinds, for texts that must be taken by nft whatever the view.

import fc from "fast-check";
import { asId } from "../../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../../src/core/model/routes.ts";
import { endpoint, inNetworks, service } from "./views.ts";

/** Services with names, networks, ports, weights and policies of all kinds, some of which may fall asleep. */
export const anyServices: fc.Arbitrary<readonly ServiceRoutes[]> = fc
  .array(
    fc.record({
      name: fc.string({ minLength: 1, maxLength: 80 }),
      networks: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 300 }), { maxLength: 3 }),
      weights: fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 5 }),
      balance: fc.constantFrom("random" as const, "client" as const),
      protocol: fc.constantFrom("tcp" as const, "udp" as const),
      hostIp: fc.constantFrom(undefined, "0.0.0.0", "127.0.0.1", "192.0.2.1"),
      mayFallAsleep: fc.boolean(),
      policy: fc.option(fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 3 }), { nil: undefined }),
    }),
    { maxLength: 8 },
  )
  .map((services) =>
    services.map(({ name, networks, weights, balance, protocol, hostIp, mayFallAsleep, policy }, at) =>
      service(
        at + 1,
        name,
        weights.map((weight, node) => endpoint(`10.210.${node + 1}.${at + 10}`, { weight })),
        {
          networks: inNetworks(...networks),
          balance,
          ports: [{ published: 8_000 + at, target: 80, protocol, ...(hostIp === undefined ? {} : { hostIp }) }],
          ...(mayFallAsleep ? { waking: [80, 8_080] } : {}),
          ...(policy === undefined
            ? {}
            : { policy: [{ from: asId("s1"), ports: policy.map((port) => ({ port, protocol })) }] }),
        },
      ),
    ),
  );
