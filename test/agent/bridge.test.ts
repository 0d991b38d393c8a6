// The bridge that containers stand on: how it is made on each version of the engine, and what becomes of one that was made otherwise.

import { describe, expect, test } from "vitest";
import { bridgeFault, bridgeOptions } from "../../workers/agent/engine/bridge-options.ts";
import { renderCreateBody } from "../../workers/agent/engine/create-body.ts";
import { AgentWorld, taskId, workOf } from "./agent-world.ts";

const PREFIX = "com.docker.network";

describe("options of the bridge", () => {
  test("keep the sender's address on every version, and its size below the link's", () => {
    expect(bridgeOptions("davit0", "20.10.24+dfsg1", 1_420)).toEqual({
      [`${PREFIX}.bridge.name`]: "davit0",
      [`${PREFIX}.bridge.enable_ip_masquerade`]: "false",
      [`${PREFIX}.driver.mtu`]: "1420",
    });
  });

  test.each([
    ["20.10.24+dfsg1", undefined],
    ["26.1.5+dfsg1", undefined],
    ["27.5.1", undefined],
    ["28.0.0", "nat-unprotected"],
    ["28.5.2", "nat-unprotected"],
    ["29.0.0-rc.1", "nat-unprotected"],
  ])(
    "on %s the mode of its gateway is %s: from 28 on the engine would drop what comes by the mesh",
    (version, mode) => {
      expect(bridgeOptions("davit0", version, 1_420)[`${PREFIX}.bridge.gateway_mode_ipv4`]).toBe(mode);
    },
  );

  test("that differ are named; another size is no fault", () => {
    const wanted = bridgeOptions("davit0", "28.0.0", 1_420);
    expect(bridgeFault({ ...wanted, [`${PREFIX}.driver.mtu`]: "1500" }, wanted)).toBeUndefined();
    expect(bridgeFault({ [`${PREFIX}.bridge.name`]: "davit0" }, wanted)).toBe(
      "enable_ip_masquerade is not set, gateway_mode_ipv4 is not set",
    );
  });
});

describe("a bridge that was made without them", () => {
  const old = { id: "davit0", subnet: "10.210.1.0/24", options: { [`${PREFIX}.bridge.name`]: "davit0" } };

  test("is made anew while no container is on it", async () => {
    const world = await new AgentWorld().start();
    world.engine.networks.set("davit0", { ...old, members: [] });
    await world.give(workOf(1));
    await world.clock.advance(2_000);
    expect(world.engine.networks.get("davit0")?.options[`${PREFIX}.bridge.enable_ip_masquerade`]).toBe("false");
    expect(world.status(1)).toMatchObject({ state: "running" });
  });

  test("holds new tasks up in words while containers are on it, and is made anew once they are gone", async () => {
    const world = await new AgentWorld().start();
    world.engine.networks.set("davit0", {
      ...old,
      members: ["a", "b"].map((containerId) => ({ containerId, address: "", mac: "" })),
    });
    await world.give(workOf(1));
    await world.clock.advance(2_000);
    expect(world.status(1)?.reason).toBe(
      "network davit0 on n1 was not made for a mesh (enable_ip_masquerade is not set), and has 2 containers: once none is on it, it is made anew (davit node drain n1)",
    );
    world.engine.networks.set("davit0", { ...old, members: [] });
    await world.clock.advance(12_000);
    expect(world.status(1)).toMatchObject({ state: "running" });
  });
});

describe("a container's resolv.conf", () => {
  test("is bound from the file that its node wrote, read-only and labelled for SELinux", () => {
    const request = { name: "web.1", labels: {}, task: workOf(1), network: "davit0" };
    const body = renderCreateBody(request, { "/etc/resolv.conf": "/var/lib/davit/names/t1" });
    expect(body["HostConfig"]).toMatchObject({ Binds: ["/var/lib/davit/names/t1:/etc/resolv.conf:ro,z"] });
    expect(renderCreateBody(request, {})["HostConfig"]).not.toHaveProperty("Binds");
  });

  test("is the one of its own task", async () => {
    const world = await new AgentWorld().start();
    world.resolvConfs.set(taskId(2), "/names/2");
    await world.give(workOf(1), workOf(2));
    await world.clock.advance(2_000);
    expect(
      world.engine.running.map(({ request, configs }) => [request?.task.taskId, configs?.["/etc/resolv.conf"]]),
    ).toEqual(
      expect.arrayContaining([
        [taskId(1), undefined],
        [taskId(2), "/names/2"],
      ]),
    );
  });
});
