// Which port a service is published on: one for the cluster, kept over deploys, refused in words when somebody has it.

import { describe, expect, test } from "vitest";
import { publishedPorts } from "../../../src/core/commands/published-ports.ts";
import { deployStack } from "../../../src/core/commands/deploy-stack.ts";
import { publishedOf } from "../../../src/core/model/published-port.ts";
import type { DavitError } from "../../../src/core/model/errors.ts";
import { asId } from "../../../src/core/model/ids.ts";
import type { Listener } from "../../../src/core/model/records.ts";
import type { PortSpec } from "../../../src/core/model/service-spec.ts";
import { applyChanges, type MutableState } from "../../../src/core/model/world.ts";
import { commandContext } from "../../fakes/memory-backend.ts";
import { serviceOf, stackOf } from "../../fakes/stacks.ts";
import { begunState, WorldModel } from "../../fakes/world-model.ts";

function port(from: number, to = from, more: Partial<PortSpec> = {}): PortSpec {
  return { target: 80, published: { from, to }, protocol: "tcp", mode: "ingress", ...more };
}

function deploy(state: MutableState, stack: string, services: Readonly<Record<string, readonly PortSpec[]>>) {
  const specs = Object.entries(services).map(([name, ports]) => serviceOf(stack, name, { template: { ports } }));
  const outcome = deployStack(stackOf(stack, specs))(state, commandContext(1_000));
  applyChanges(state, outcome.changes);
  return outcome;
}

function published(state: MutableState, name: string): readonly number[] {
  const service = [...state.service.values()].find((one) => one.name === name);
  return (service?.ports ?? []).map((one) => one.published);
}

describe("published ports", () => {
  test("of ranges are the first ones that are free, are told, and are kept by the next deploy", () => {
    const state = begunState();
    deploy(state, "one", { web: [port(8_000, 8_002)] });
    const outcome = deploy(state, "two", { web: [port(8_000, 8_002)], api: [port(8_001)] });
    expect(published(state, "one_web")).toEqual([8_000]);
    expect(published(state, "two_api")).toEqual([8_001]);
    expect(published(state, "two_web")).toEqual([8_002]);
    expect(outcome.result.steps.map((step) => step.description).join()).toContain("port 8002 for 80/tcp");
    deploy(state, "one", {});
    deploy(state, "two", { web: [port(8_000, 8_002)], api: [] });
    expect(published(state, "two_web")).toEqual([8_002]);
  });

  test("that another service has are refused with its name, and nothing changes", () => {
    const state = begunState();
    deploy(state, "one", { web: [port(443)] });
    const before = state.service.size;
    expect(() => deploy(state, "two", { web: [port(443)] })).toThrow(
      "publish ports of two_web: port 443/tcp is published by one_web already",
    );
    expect(() => deploy(state, "three", { a: [port(80)], b: [port(80)] })).toThrow("published by three_a already");
    deploy(state, "two", { web: [port(9_000, 9_001)] });
    deploy(state, "three", { web: [port(9_000, 9_001)] });
    expect(() => deploy(state, "four", { web: [port(9_000, 9_001)] })).toThrow("all ports 9000–9001/tcp are published");
    expect(state.service.size).toBe(before + 2);
  });

  test("go from service to service of a stack in one deploy", () => {
    const state = begunState();
    deploy(state, "shop", { old: [port(80)], new: [] });
    deploy(state, "shop", { old: [], new: [port(80)] });
    expect([published(state, "shop_old"), published(state, "shop_new")]).toEqual([[], [80]]);
  });

  test("share a number with another protocol, or another address of the host", () => {
    const state = begunState();
    deploy(state, "one", { web: [port(53), port(53, 53, { protocol: "udp" })] });
    deploy(state, "two", { a: [port(5_432, 5_432, { hostIp: "127.0.0.1" })] });
    deploy(state, "three", { a: [port(5_432, 5_432, { hostIp: "10.0.0.1" })] });
    expect(() => deploy(state, "four", { a: [port(5_432)] })).toThrow("5432/tcp is published by");
    expect(publishedPorts(state, "five", []).size).toBe(0);
  });

  test("of the host's own mode are not among them, and a version that is gone back to has its own single ports", () => {
    const state = begunState();
    deploy(state, "one", { web: [port(80, 80, { mode: "host" }), port(81)] });
    expect(published(state, "one_web")).toEqual([81]);
    expect(publishedOf([port(82), port(90, 99)], [{ published: 81, target: 80, protocol: "tcp" }])).toEqual([
      { published: 82, target: 80, protocol: "tcp" },
    ]);
  });

  test("that anything on any host listens on are refused with host and process, and ranges pass over them", () => {
    const state = begunState();
    listens(state, "n1", { protocol: "tcp", port: 22, process: "sshd (pid 4)" });
    listens(state, "n2", { protocol: "tcp", port: 5_432, address: "127.0.0.1" }, { protocol: "tcp", port: 22 });
    const refused = (spec: PortSpec) => {
      try {
        deploy(state, "one", { web: [spec] });
      } catch (error) {
        return error as DavitError;
      }
      throw new Error(`${spec.published.from} was given`);
    };
    expect(refused(port(22)).message).toBe("publish ports of one_web: port 22/tcp is in use on n1 by sshd (pid 4)");
    expect(refused(port(22)).wayOut).toContain("on n1 and n2, or publish another port");
    expect(refused(port(5_432)).message).toBe("publish ports of one_web: port 5432/tcp is in use on n2");
    expect(refused(port(5_432, 5_432, { hostIp: "127.0.0.1" })).message).toContain("in use on n2");
    expect(refused(port(51_820, 51_820, { protocol: "udp" })).message).toContain("is the mesh's own");
    expect(state.service.size).toBe(0);
    deploy(state, "one", {
      web: [port(22, 23), port(22, 22, { protocol: "udp" }), port(5_432, 5_432, { hostIp: "10.0.0.1" })],
    });
    expect(published(state, "one_web")).toEqual([22, 5_432, 23]);
  });

  test("that a service has are kept, whatever listens since; what listens inside the pool is davit's own", () => {
    const state = begunState();
    deploy(state, "one", { web: [port(80)] });
    listens(state, "n1", { protocol: "tcp", port: 80 }, { protocol: "udp", port: 53, address: "10.210.1.1" });
    deploy(state, "one", { web: [port(80), port(53, 53, { protocol: "udp" })] });
    expect(published(state, "one_web")).toEqual([80, 53]);
    expect(() => deploy(state, "two", { web: [port(80)] })).toThrow("published by one_web");
  });

  test("do not count what a node listened on that was confirmed dead", () => {
    const state = begunState();
    listens(state, "n1", { protocol: "tcp", port: 80 });
    const node = state.node.get(asId("n1"));
    if (node !== undefined) state.node.set(node.id, { ...node, confirmedDeadAtMs: 1 });
    deploy(state, "one", { web: [port(80)] });
    expect(published(state, "one_web")).toEqual([80]);
  });

  test("of mode host in the same stack are nobody else's", () => {
    const state = begunState();
    expect(() => deploy(state, "one", { a: [port(80, 80, { mode: "host" })], b: [port(80)] })).toThrow(
      "port 80/tcp is published by one_a already",
    );
  });
});

function listens(state: MutableState, name: string, ...listeners: readonly Listener[]): void {
  const world = new WorldModel();
  const id = world.node(name);
  const [node, status] = [world.state.node.get(id), world.state.nodeStatus.get(id)];
  if (node === undefined || status === undefined) throw new Error("a node was made");
  state.node.set(id, node);
  state.nodeStatus.set(id, { ...status, listeners });
}
