// Deploys as pure commands: what changes, what stays, and what the plan says.

import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "../../../src/core/commands/command.ts";
import { deployStack, removeStack } from "../../../src/core/commands/deploy-stack.ts";
import { scaleService } from "../../../src/core/commands/services.ts";
import { versionsOf } from "../../../src/core/commands/versions.ts";
import { DavitError } from "../../../src/core/model/errors.ts";
import { idSourceFrom } from "../../../src/core/model/ids.ts";
import {
  type ConfigFile,
  type ConfigMount,
  MAX_CONFIG_BYTES,
  type ServiceSpec,
  type StackSpec,
} from "../../../src/core/model/service-spec.ts";
import { applyChanges, type MutableState } from "../../../src/core/model/world.ts";
import { createCalendar } from "../../../src/system/calendar.ts";
import { plan } from "../../../src/core/reconcile/plan.ts";
import { commandContext } from "../../fakes/memory-backend.ts";
import { networkOf, serviceOf, stackOf } from "../../fakes/stacks.ts";
import { begunState, template, WorldModel } from "../../fakes/world-model.ts";

function run<Result>(state: MutableState, command: Command<Result>) {
  const outcome = command(state, commandContext(1_000));
  applyChanges(state, outcome.changes);
  return outcome;
}

function refusal(act: () => unknown): DavitError {
  try {
    act();
  } catch (error) {
    if (error instanceof DavitError) return error;
    throw error;
  }
  return expect.fail("it was not refused");
}

const anyService = fc
  .record({
    name: fc.constantFrom("web", "api", "store", "worker"),
    image: fc.constantFrom("web:v1", "web:v2", "api:v1"),
    replicas: fc.integer({ min: 0, max: 5 }),
    env: fc.dictionary(fc.constantFrom("A", "B", "C"), fc.constantFrom("1", "2")),
    labels: fc.dictionary(fc.constantFrom("tier", "team"), fc.constantFrom("x", "y")),
    hasVolume: fc.boolean(),
  })
  .map(({ name, hasVolume, ...rest }) =>
    serviceOf("shop", name, { ...rest, ...(hasVolume ? { volume: `shop_${name}` } : {}) }),
  );

const anyStack: fc.Arbitrary<StackSpec> = fc
  .uniqueArray(anyService, { selector: (service) => service.name, maxLength: 4 })
  .chain((services) =>
    fc.boolean().map((hasNetwork) => stackOf("shop", services, hasNetwork ? [networkOf("shop", "back")] : [])),
  );

describe("deploying a stack", () => {
  test("a second deploy of the same stack changes nothing, whatever came before", () => {
    fc.assert(
      fc.property(fc.array(anyStack, { minLength: 1, maxLength: 5 }), (stacks) => {
        const state = begunState();
        for (const stack of stacks) run(state, deployStack(stack));
        const again = run(state, deployStack(stacks.at(-1) as StackSpec));
        expect(again.changes).toEqual([]);
        expect(again.events).toEqual([]);
        expect(again.result.steps.every((step) => step.kind === "unchanged")).toBe(true);
      }),
    );
  });

  test("a dry run lists exactly the events that the deploy emits, in order", () => {
    fc.assert(
      fc.property(fc.array(anyStack, { minLength: 1, maxLength: 5 }), (stacks) => {
        const state = begunState();
        for (const stack of stacks) {
          const { steps } = deployStack(stack)(state, commandContext(1_000)).result;
          const outcome = run(state, deployStack(stack));
          expect(outcome.result.steps).toEqual(steps);
          expect(outcome.events.map((event) => event.type)).toEqual(steps.flatMap((step) => step.eventType ?? []));
          expect(outcome.events.map((event) => event.subject.name)).toEqual(
            steps.filter((step) => step.kind !== "unchanged").map((step) => step.subject.name),
          );
        }
      }),
    );
  });

  test("services that are not named stay, record for record, as they were", () => {
    fc.assert(
      fc.property(anyStack, anyStack, (first, second) => {
        const state = begunState();
        run(state, deployStack(first));
        const before = new Map([...state.service.values()].map((service) => [service.name, service]));
        const { steps } = run(state, deployStack(second)).result;
        for (const step of steps) {
          if (step.kind !== "unchanged" || step.subject.kind !== "service") continue;
          const now = [...state.service.values()].find((service) => service.name === step.subject.name);
          expect(now).toBe(before.get(step.subject.name));
        }
      }),
    );
  });

  test("an update is told in words, without values of the environment", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web", { env: { KEY: "hidden" } })])));
    const { result } = run(
      state,
      deployStack(
        stackOf("shop", [serviceOf("shop", "web", { image: "web:v2", replicas: 3, env: { KEY: "other", MORE: "1" } })]),
      ),
    );
    expect(result.steps[0]?.description).toBe("image web:v1 → web:v2, environment ~KEY +MORE, replicas 2 → 3");
    expect(result.steps[0]?.replacesTasks).toBe(true);
    expect(JSON.stringify(result)).not.toContain("other");
  });

  test("a change of labels is a new version that replaces no task", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    const { result } = run(
      state,
      deployStack(stackOf("shop", [serviceOf("shop", "web", { labels: { tier: "front" } })])),
    );
    expect(result.steps[0]).toMatchObject({ kind: "update", description: "labels +tier", replacesTasks: false });
    expect([...state.service.values()][0]).toMatchObject({ version: 2, previousVersion: 1, index: 2 });
  });

  test("a change of replicas alone makes no new version", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    run(state, scaleService({ ref: "shop_web", replicas: 5 }));
    const { result } = run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    expect(result.steps[0]?.description).toBe("replicas 5 → 2");
    expect([...state.service.values()][0]).toMatchObject({ version: 1, index: 3, mode: { replicas: 2 } });
  });

  test("ten versions are kept, among them the current, the previous and the last stable one", () => {
    const state = begunState();
    for (let at = 1; at <= 15; at++) {
      run(state, deployStack(stackOf("shop", [serviceOf("shop", "web", { image: `web:v${at}` })])));
      const first = state.serviceVersion.get([...state.serviceVersion.keys()][0] ?? "");
      if (at === 1 && first !== undefined) state.serviceVersion.set(first.id, { ...first, stable: true });
    }
    const [service] = state.service.values();
    const kept = versionsOf(state, service?.id ?? "").map((version) => version.version);
    expect(kept).toEqual([1, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });

  test("services that are no longer in the file are removed, volumes are kept and named", () => {
    const state = begunState();
    run(
      state,
      deployStack(stackOf("shop", [serviceOf("shop", "web"), serviceOf("shop", "store", { volume: "shop_data" })])),
    );
    const { result, events } = run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    expect(events.map((event) => event.message)).toEqual(["service shop_store removed: its tasks stop"]);
    expect(result.warnings).toEqual(["volume shop_data is not in the stack any more; its data is kept"]);
    expect(state.volume.size).toBe(1);
  });
});

describe("what a deploy refuses", () => {
  const cases: readonly {
    readonly what: string;
    readonly service: ServiceSpec;
    readonly code: string;
    readonly says: string;
  }[] = [
    {
      what: "too many replicas",
      service: serviceOf("shop", "web", { replicas: 10_001 }),
      code: "invalid_input",
      says: "10001 replicas",
    },
    {
      what: "half a replica",
      service: serviceOf("shop", "web", { replicas: 0.5 }),
      code: "invalid_input",
      says: "whole number",
    },
    {
      what: "a job that says nothing of its runs",
      service: serviceOf("shop", "web", { mode: { kind: "global-job" } }),
      code: "invalid_input",
      says: "is a global-job and says nothing of its runs",
    },
    {
      what: "on_lease_lost: stop",
      service: serviceOf("shop", "web", { template: { onLeaseLost: "stop" } }),
      code: "not_supported",
      says: "on_lease_lost",
    },
    {
      what: "a name that is none",
      service: { ...serviceOf("shop", "web"), name: "Shop Web" },
      code: "invalid_input",
      says: "not a service name",
    },
    {
      what: "a service of another stack",
      service: serviceOf("other", "web"),
      code: "invalid_input",
      says: "belongs to stack 'other'",
    },
    {
      what: "one port twice",
      service: serviceOf("shop", "web", { template: { ports: [port(80, 8_080), port(81, 8_080)] } }),
      code: "conflict",
      says: "publishes tcp port 8080 twice",
    },
    {
      what: "ports that are none",
      service: serviceOf("shop", "web", { template: { ports: [port(80, 70_000)] } }),
      code: "invalid_input",
      says: "from 1 to 65535",
    },
  ];
  for (const { what, service, code, says } of cases) {
    test(`${what} is refused by name`, () => {
      const error = refusal(() => deployStack(stackOf("shop", [service]))(begunState(), commandContext(1)));
      expect(error.code).toBe(code);
      expect(error.message).toContain(says);
    });
  }

  test("every fault is reported at once", () => {
    const faulty = stackOf("shop", [
      serviceOf("shop", "web", { replicas: -1 }),
      serviceOf("shop", "api", { mode: { kind: "global-job" } }),
      serviceOf("shop", "api"),
    ]);
    const error = refusal(() => deployStack(faulty)(begunState(), commandContext(1)));
    expect(error.code).toBe("invalid_input");
    expect(error.details.map((detail) => detail.where)).toEqual(["services.shop_api", "shop_web", "shop_api"]);
  });

  test("a mounted volume and an attached network must be in the stack", () => {
    const web = serviceOf("shop", "web", {
      volume: "shop_data",
      template: { networks: [{ network: "shop_back", aliases: [] }] },
    });
    const mountsNothing = {
      ...stackOf("shop", [
        { ...web, template: { ...template({ volume: "shop_data" }), networks: web.template.networks } },
      ]),
      volumes: [],
    };
    const error = refusal(() => deployStack(mountsNothing)(begunState(), commandContext(1)));
    expect(error.details.map((detail) => detail.message)).toEqual([
      "mounts volume 'shop_data', which the stack does not have",
      "is on network 'shop_back', which the stack does not have",
    ]);
  });

  test("a name that another stack has is taken", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "store", { volume: "data" })])));
    const error = refusal(() =>
      deployStack(stackOf("blog", [serviceOf("blog", "store", { volume: "data" })]))(state, commandContext(1)),
    );
    expect(error).toMatchObject({
      code: "already_exists",
      message: "deploy volume data: the name is taken and belongs to stack shop",
    });
  });

  test("a port of a service on every node can be nobody else's", () => {
    const api = serviceOf("shop", "api", { mode: { kind: "global" }, template: { ports: [port(80, 7_000)] } });
    const web = serviceOf("shop", "web", { template: { ports: [port(80, 7_000)] } });
    const error = refusal(() => deployStack(stackOf("shop", [api, web]))(begunState(), commandContext(1)));
    expect(error).toMatchObject({ code: "conflict" });
    expect(error.message).toContain("port 7000/tcp is published by shop_api already");
  });

  test("a service's mode cannot change in place", () => {
    const state = begunState();
    run(state, deployStack(stackOf("shop", [serviceOf("shop", "web")])));
    const error = refusal(() =>
      deployStack(stackOf("shop", [serviceOf("shop", "web", { mode: { kind: "global" } })]))(state, commandContext(1)),
    );
    expect(error).toMatchObject({
      code: "not_supported",
      wayOut: expect.stringContaining("davit service rm shop_web") as string,
    });
  });
});

describe("removing a stack", () => {
  test("services and networks go, volumes stay unless asked for", () => {
    const state = begunState();
    run(
      state,
      deployStack(stackOf("shop", [serviceOf("shop", "store", { volume: "shop_data" })], [networkOf("shop", "back")])),
    );
    const { result } = run(state, removeStack({ name: "shop", volumes: false }));
    expect(result.steps.map((step) => step.eventType)).toEqual(["service.removed", "network.removed"]);
    expect(result.warnings).toEqual(["volumes are kept: shop_data"]);
    expect([state.service.size, state.network.size, state.volume.size]).toEqual([0, 0, 1]);
    run(state, removeStack({ name: "shop", volumes: true }));
    expect(state.volume.size).toBe(0);
  });

  test("a stack that is not there is not found", () => {
    expect(refusal(() => removeStack({ name: "shop", volumes: true })(begunState(), commandContext(1))).code).toBe(
      "not_found",
    );
  });
});

function port(target: number, published: number): ServiceSpec["template"]["ports"][number] {
  return { target, published: { from: published, to: published }, protocol: "tcp", mode: "ingress" };
}

describe("configs", () => {
  const contents = (text: string): ConfigFile => ({
    id: createHash("sha256").update(text).digest("hex"),
    data: Buffer.from(text).toString("base64"),
  });
  const mounting = (...configs: readonly ConfigFile[]): StackSpec => {
    const plain = template({ image: "web:v1" });
    const mounts = configs.map((config, at): ConfigMount => {
      return { kind: "config", config: config.id, name: `c${at}`, target: `/c${at}`, mode: 0o444 };
    });
    const web = serviceOf("shop", "web", { template: { container: { ...plain.container, mounts } } });
    return { ...stackOf("shop", [web]), configs };
  };

  test("are kept once, and a deploy of the same contents writes nothing", () => {
    const state = begunState();
    run(state, deployStack(mounting(contents("a"), contents("b"))));
    expect([...state.configFile.keys()].sort()).toEqual([contents("a").id, contents("b").id].sort());
    expect(run(state, deployStack(mounting(contents("a"), contents("b")))).changes).toEqual([]);
  });

  test("changed are told by name, and replace the tasks", () => {
    const state = begunState();
    run(state, deployStack(mounting(contents("a"), contents("b"))));
    const [step] = run(state, deployStack(mounting(contents("a"), contents("c")))).result.steps;
    expect(step).toMatchObject({ kind: "update", description: "config c1 changed", replacesTasks: true });
  });

  test("are dropped by the plan once no kept version mounts them, and not before", () => {
    const state = begunState();
    run(state, deployStack(mounting(contents("a"))));
    run(state, deployStack(mounting(contents("b"))));
    const planned = (): readonly string[] => {
      const { steps } = plan({ ...new WorldModel().world(), state }, 2_000, idSourceFrom("x"), createCalendar());
      return steps.flatMap((step) => (step.kind === "dropConfigs" ? step.ids : []));
    };
    expect(planned(), "a rollback would need it").toEqual([]);
    for (let at = 0; at < 12; at++) run(state, deployStack(mounting(contents(`v${at}`))));
    expect(planned()).toContain(contents("a").id);
    expect(planned()).not.toContain(contents("v11").id);
  });

  test("that are damaged, too large, not there or of no use are refused together", () => {
    const large = contents("x".repeat(MAX_CONFIG_BYTES + 1));
    const spec = mounting({ ...contents("a"), id: contents("b").id }, large, contents("c"));
    const missing = mounting(contents("d"));
    const services = [...spec.services, { ...missing.services[0], name: "shop_api" } as ServiceSpec];
    const wrong = {
      ...spec,
      services,
      configs: [...(spec.configs ?? []), { id: contents("e").id, data: "%" }, contents("f")],
    };
    const { details } = refusal(() => run(begunState(), deployStack(wrong)));
    const text = details.map(({ where, message }) => `${where} ${message}`).join("\n");
    expect(text).toMatch(/configs\[0\] its id is not the SHA-256/);
    expect(text).toMatch(/configs\[1\] is larger than 500 KB/);
    expect(text).toMatch(/configs\[3\] is not base64/);
    expect(text).toMatch(/configs\[4\] is mounted by no service/);
    expect(text).toMatch(/shop_api mounts config 'c0', whose contents did not come/);
  });
});

test.each([
  [{ networkMode: "host" }, { ports: [{ target: 1, published: { from: 1, to: 1 }, protocol: "tcp", mode: "host" }] }],
  [{ networkMode: "none" }, { networks: [{ network: "shop_back", aliases: [] }] }],
  [{ networkMode: "none" }, { probe: { kind: "tcp", port: 1 } }],
] as const)("network mode %j does not go with %j", (container, more) => {
  const plain = template({ image: "web:v1" });
  const { probe, ...rest } = { probe: plain.health.probe, ...more };
  const changed = { container: { ...plain.container, ...container }, health: { ...plain.health, probe }, ...rest };
  const stack = stackOf("shop", [serviceOf("shop", "web", { template: changed })], [networkOf("shop", "back")]);
  expect(refusal(() => run(begunState(), deployStack(stack))).message).toMatch(/network mode (host|none)/);
});
