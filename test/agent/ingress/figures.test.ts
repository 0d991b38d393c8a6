// What the ingress of a node counts: sums that only grow, made of counters that end with each worker of the proxy.

import { beforeEach, describe, expect, test } from "vitest";
import type { IngressPart } from "../../../workers/agent/network/ingress/ingress-part.ts";
import type { FakeProxy } from "./fake-proxy.ts";
import { DoorHost, endpoint, route, view } from "./part-world.ts";

describe("figures", () => {
  let host: DoorHost;
  let proxy: FakeProxy;
  beforeEach(() => {
    host = new DoorHost();
    ({ proxy } = host);
  });
  const one = { routes: [route("one.test")], endpoints: [endpoint("10.210.1.2")] };
  const two = { routes: [route("two.test")], endpoints: [endpoint("10.210.1.3")] };
  const requestsOf = async (part: IngressPart): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries((await part.figures()).map(({ serviceId, figures }) => [serviceId, figures.requests]));

  test("only grow, over reloads and crashes of the proxy and restarts of the agent, and are of each service alone", async () => {
    const part = host.newPart();
    await part.apply(view({ one, two }));
    proxy.answer("one.test/", 5);
    proxy.answer("two.test/", 2);
    expect(await requestsOf(part)).toEqual({ one: 5, two: 2 });
    expect((await part.figures())[0]?.figures).toMatchObject({
      answers: { "2": 5 },
      bytesIn: 500,
      bytesOut: 1_000,
      firstByteMs: 4,
      tookMs: 9,
    });
    proxy.hasOpenSessions = true;
    proxy.reload();
    proxy.answer("one.test/", 3);
    expect(await requestsOf(part)).toEqual({ one: 8, two: 2 });
    proxy.answer("one.test/", 1);
    // the next agent finds what this one has kept, and the workers, which count on
    const next = host.newPart();
    await next.apply(view({ one, two }));
    expect(await requestsOf(next)).toEqual({ one: 9, two: 2 });
    await next.apply(view({ one, two }));
    expect(await requestsOf(next)).toEqual({ one: 9, two: 2 });
    // the agent is killed together with the proxy: what was told is on the disk
    proxy.restart();
    proxy.answer("two.test/", 1);
    const last = host.newPart();
    await last.apply(view({ one, two }));
    expect(await requestsOf(last)).toEqual({ one: 9, two: 3 });
  });

  test("asked for twice at once count nothing twice, and a service that comes back begins at none", async () => {
    const part = host.newPart();
    await part.apply(view({ one, two }));
    proxy.answer("one.test/", 5);
    expect(await Promise.all([requestsOf(part), requestsOf(part)])).toEqual([
      { one: 5, two: 0 },
      { one: 5, two: 0 },
    ]);
    await part.apply(view({ two }));
    await part.apply(view({ one, two }));
    expect(await requestsOf(part)).toEqual({ one: 0, two: 0 });
    proxy.workers.clear();
    expect(await requestsOf(part)).toEqual({ one: 0, two: 0 });
    await part.apply(view({}));
    expect(await part.figures()).toEqual([]);
  });
});
