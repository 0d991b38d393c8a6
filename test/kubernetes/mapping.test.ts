// What the golden files do not show: jobs, what a Compose file cannot say yet, limits of ConfigMaps, and choices of the user that are
// refused.

import { describe, expect, test } from "vitest";
import type { JobSpec } from "../../src/core/model/job.ts";
import type { PlacementSpec, ServiceSpec, StackSpec } from "../../src/core/model/service-spec.ts";
import { exportStack } from "../../src/kubernetes/export.ts";
import type { ExportOptions, Manifest } from "../../src/kubernetes/manifest.ts";
import { networkOf, serviceOf, type ServiceChanges, stackOf } from "../fakes/stacks.ts";
import { OPTIONS } from "./full-stack.ts";
import { ruleFaults } from "./rules.ts";
import { schemaFaults } from "./schemas.ts";

function exported(stack: StackSpec, options: Partial<ExportOptions> = {}) {
  const result = exportStack(stack, { ...OPTIONS, ...options });
  expect([...result.manifests.flatMap(schemaFaults), ...ruleFaults(result.manifests)]).toEqual([]);
  return { ...result, said: result.notes.map(({ at, message }) => `${at}: ${message}`) };
}

function service(
  name: string,
  changes: ServiceChanges = {},
  more: Partial<ServiceSpec["template"]["container"]> = {},
): ServiceSpec {
  const spec = serviceOf("shop", name, changes);
  return { ...spec, template: { ...spec.template, container: { ...spec.template.container, ...more } } };
}

function found(manifests: readonly Manifest[], title: string): Manifest {
  const manifest = manifests.find(({ kind, metadata }) => `${kind} ${metadata.name}` === title);
  if (manifest === undefined)
    throw new Error(`there is no ${title} in ${manifests.map(({ kind }) => kind).join(", ")}`);
  return manifest;
}

describe("jobs", () => {
  const restart = { condition: "on-failure", delayMs: 1_000, maxAttempts: 4, windowMs: 0 } as const;

  test("a job has its completions, its concurrency and its attempts", () => {
    const mode = { kind: "replicated-job", completions: 6, concurrency: 2 } as const;
    const { manifests, notes } = exported(stackOf("shop", [service("import", { mode, template: { restart } })]));
    expect(notes).toEqual([]);
    expect(found(manifests, "Job import")["spec"]).toMatchObject({
      completions: 6,
      parallelism: 2,
      backoffLimit: 4,
      template: { spec: { restartPolicy: "OnFailure" } },
    });
  });

  test("a job that may not fail has no second attempt, and one without a maximum very many", () => {
    const mode = { kind: "replicated-job", completions: 1, concurrency: 1 } as const;
    const job = (changes: Partial<typeof restart> | { readonly condition: "none" }) =>
      found(
        exported(stackOf("shop", [service("one", { mode, template: { restart: { ...restart, ...changes } } })]))
          .manifests,
        "Job one",
      )["spec"];
    expect(job({ condition: "none" })).toMatchObject({
      backoffLimit: 0,
      template: { spec: { restartPolicy: "Never" } },
    });
    expect(
      exported(stackOf("shop", [service("one", { mode, template: { restart: { ...restart, maxAttempts: 0 } } })]))
        .manifests[0],
    ).toMatchObject({
      spec: { backoffLimit: 2_147_483_647 },
    });
  });

  test("a job on every node runs once, which is said", () => {
    const { manifests, said } = exported(
      stackOf("shop", [service("sweep", { mode: { kind: "global-job" }, template: { restart } })]),
    );
    expect(found(manifests, "Job sweep")["spec"]).toMatchObject({ completions: 1, parallelism: 1 });
    expect(said).toEqual([
      "sweep: deploy.mode: Kubernetes has no job that runs once on every node: this one runs once",
    ]);
  });
});

describe("schedules", () => {
  const mode = { kind: "replicated-job", completions: 1, concurrency: 1 } as const;
  const restart = { condition: "on-failure", delayMs: 1_000, maxAttempts: 2, windowMs: 0 } as const;
  const asked = { after: [], overlap: "forbid", startingDeadlineMs: 600_000, timeoutMs: 90_500, keptRuns: 4 } as const;
  const scheduled = (cron: string, job: Partial<JobSpec> = {}) => {
    const schedule = { cron, timezone: "Europe/Vienna" };
    return exported(
      stackOf("shop", [{ ...service("backup", { mode, template: { restart } }), job: { ...asked, schedule, ...job } }]),
    );
  };

  test("a job with a schedule is a CronJob in its time zone", () => {
    const { manifests, notes } = scheduled("30 4 * * MON-FRI");
    expect(notes).toEqual([]);
    expect(found(manifests, "CronJob backup")["spec"]).toMatchObject({
      schedule: "30 4 * * MON-FRI",
      timeZone: "Europe/Vienna",
      concurrencyPolicy: "Forbid",
      startingDeadlineSeconds: 600,
      successfulJobsHistoryLimit: 4,
      failedJobsHistoryLimit: 4,
      jobTemplate: {
        spec: { backoffLimit: 2, activeDeadlineSeconds: 91, template: { spec: { restartPolicy: "OnFailure" } } },
      },
    });
  });

  test("seconds are left out, and what Kubernetes cannot read is suspended, which is said", () => {
    const late = scheduled("15 0 3 * * *");
    expect(found(late.manifests, "CronJob backup")["spec"]).toMatchObject({ schedule: "0 3 * * *" });
    expect(late.said).toEqual([
      "backup: x-davit.schedule: '15 0 3 * * *': Kubernetes has no seconds: it runs at the full minute",
    ]);
    for (const cron of ["0 3 L * *", "0 3 15W * *", "0 3 * * 5#2", "0 3 * * 5L"]) {
      const { manifests, said } = scheduled(cron);
      expect(found(manifests, "CronJob backup")["spec"]).toMatchObject({ suspend: true });
      expect(said).toHaveLength(1);
    }
    expect(scheduled("0 3 * JUL WED").notes).toEqual([]);
  });

  test("a job after others runs at once, which is said", () => {
    const spec = { ...service("load", { mode, template: { restart } }), job: { ...asked, after: ["shop_fetch"] } };
    const { manifests, said } = exported(stackOf("shop", [spec]));
    expect(found(manifests, "Job load")["spec"]).toMatchObject({ activeDeadlineSeconds: 91 });
    expect(said).toEqual(["load: x-davit.after: shop_fetch: Kubernetes does not put jobs in order: it runs at once"]);
  });
});

describe("placement", () => {
  const placed = (placement: Partial<PlacementSpec>) => {
    const web = service("web");
    const template = { ...web.template, placement: { ...web.template.placement, ...placement } };
    return exported(stackOf("shop", [{ ...web, template }, service("db")]));
  };
  const podOf = (manifests: readonly Manifest[]) =>
    (
      found(manifests, "Deployment web") as unknown as {
        readonly spec: { readonly template: { readonly spec: Manifest } };
      }
    ).spec.template.spec;

  test.each([
    ["in", "n1, n2", { operator: "In", values: ["n1", "n2"] }],
    ["notin", "n1, n2", { operator: "NotIn", values: ["n1", "n2"] }],
    ["exists", "", { operator: "Exists" }],
    ["!exists", "", { operator: "DoesNotExist" }],
    ["<", "500", { operator: "Lt", values: ["500"] }],
    ["<=", "500", { operator: "Lt", values: ["501"] }],
    [">", "500", { operator: "Gt", values: ["500"] }],
    [">=", "500", { operator: "Gt", values: ["499"] }],
  ] as const)("the operator %s is one of Kubernetes' own", (operator, value, requirement) => {
    const { manifests, notes } = placed({ constraints: [{ attribute: "node.labels.size", operator, value }] });
    expect(notes).toEqual([]);
    expect(JSON.stringify(podOf(manifests)["affinity"])).toContain(JSON.stringify([{ key: "size", ...requirement }]));
  });

  test.each([
    ["==", "web-*"],
    [">", "1.5"],
    ["in", "a b, c"],
  ] as const)("a value that labels do not hold or compare, %s %s, is said", (operator, value) => {
    const { manifests, said } = placed({ constraints: [{ attribute: "node.labels.size", operator, value }] });
    expect(podOf(manifests)["affinity"]).toBeUndefined();
    expect(said).toEqual([
      `web: deploy.placement.constraints: 'node.labels.size ${operator} ${value}' speaks of what Kubernetes does not know of a node`,
    ]);
  });

  test("services that are wanted near or far are affinities to their pods", () => {
    const { manifests, said } = placed({
      affinity: [{ service: "shop_db", required: true }],
      antiAffinity: [
        { service: "shop_web", required: false },
        { service: "other_web", required: true },
      ],
    });
    const matchLabels = { "app.kubernetes.io/name": "db", "app.kubernetes.io/part-of": "shop" };
    expect(podOf(manifests)["affinity"]).toMatchObject({
      podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels } }] },
      podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100 }] },
    });
    expect(said).toEqual(["web: x-davit.anti_affinity: other_web (required) is not in this stack"]);
  });

  test("a priority is a class of the cluster, which may or may not end others", () => {
    const { manifests } = placed({ priority: 7 });
    expect(found(manifests, "PriorityClass shop-priority-7")).toMatchObject({ value: 7, preemptionPolicy: "Never" });
    expect(podOf(manifests)["priorityClassName"]).toBe("shop-priority-7");
    const preempting = placed({ priority: 7, preempt: true }).manifests;
    expect(found(preempting, "PriorityClass shop-priority-7-preempting")).toMatchObject({
      preemptionPolicy: "PreemptLowerPriority",
    });
  });
});

describe("networks", () => {
  const on = (...names: string[]) => ({ networks: names.map((name) => ({ network: `shop_${name}`, aliases: [] })) });
  const internal = { ...networkOf("shop", "back"), internal: true };
  const stack = stackOf(
    "shop",
    [
      service("web", { template: on("front", "back") }),
      service("db", { template: on("back") }),
      service("ads", { template: on("front") }),
    ],
    [networkOf("shop", "front"), internal],
  );

  test("without policies it is said that services reach each other, and that internal ones reach out", () => {
    const { manifests, said } = exported(stack);
    expect(manifests.filter(({ kind }) => kind === "NetworkPolicy")).toEqual([]);
    expect(said).toEqual([
      "networks.back: internal: its services reach everything",
      "networks: services that share no network reach each other here",
    ]);
  });

  test("with policies who is on internal networks only reaches their members and DNS", () => {
    const { manifests, notes } = exported(stack, { networkPolicies: true });
    expect(notes).toEqual([]);
    const policies = manifests.filter(({ kind }) => kind === "NetworkPolicy").map(({ metadata }) => metadata.name);
    expect(policies).toEqual(["internal-db", "network-back", "network-front"]);
    expect(JSON.stringify(found(manifests, "NetworkPolicy internal-db")["spec"])).toContain('"values":["db","web"]');
  });
});

describe("volumes", () => {
  test("a volume of a service on every node is a directory of each node", () => {
    const { manifests, said } = exported(
      stackOf("shop", [service("logs", { mode: { kind: "global" }, volume: "shop_logs" })]),
    );
    expect(found(manifests, "DaemonSet logs")["spec"]).toMatchObject({
      template: {
        spec: {
          volumes: [
            { name: "logs", hostPath: { path: "/var/lib/davit/volumes/shop_logs", type: "DirectoryOrCreate" } },
          ],
        },
      },
    });
    expect(said).toHaveLength(1);
  });

  test("pods that share a volume are kept on one node, and the one that writes it is not started twice", () => {
    const mounts = [{ kind: "volume", volume: "shop_db", target: "/db", readOnly: true }] as const;
    const writer = service("db", { replicas: 1, volume: "shop_db" });
    const reader = service("backup", { replicas: 1 }, { mounts });
    const { manifests } = exported(stackOf("shop", [writer, reader]));
    expect(found(manifests, "PersistentVolumeClaim db")["spec"]).toMatchObject({ accessModes: ["ReadWriteOnce"] });
    for (const title of ["StatefulSet db", "Deployment backup"])
      expect(JSON.stringify(found(manifests, title))).toContain('"podAffinity"');
  });

  test("a volume that pods on every node share with others must be one that many nodes mount", () => {
    const everywhere = service("agent", { mode: { kind: "global" }, volume: "shop_data" });
    const { manifests, said } = exported(stackOf("shop", [everywhere, service("web", { volume: "shop_data" })]));
    expect(found(manifests, "PersistentVolumeClaim data")["spec"]).toMatchObject({ accessModes: ["ReadWriteMany"] });
    expect(said).toContain("volumes.data: access: pods on every node mount it: the claim asks for ReadWriteMany");
    expect(JSON.stringify(manifests)).not.toContain("podAffinity");
  });

  test("a name that a StatefulSet gives its pod itself is said to be lost", () => {
    const stack = stackOf("shop", [service("queue", { replicas: 1, volume: "shop_queue" }, { hostname: "rabbit" })]);
    const { manifests, said } = exported(stack);
    expect(JSON.stringify(found(manifests, "StatefulSet queue"))).not.toContain("rabbit");
    expect(said).toContain("queue: hostname: 'rabbit': the pod of a StatefulSet is called queue-0");
  });

  test("shared propagation is for privileged services only", () => {
    const mounts = [{ kind: "bind", source: "/mnt", target: "/mnt", readOnly: false, propagation: "rshared" }] as const;
    const text = (privileged: boolean) =>
      JSON.stringify(exported(stackOf("shop", [service("fs", {}, { mounts, runtime: { privileged } })])));
    expect(text(true)).toContain("Bidirectional");
    expect(text(false)).not.toContain("Bidirectional");
  });
});

describe("placeholders", () => {
  test("are filled in by the kubelets where they know them, in texts by way of a variable before", () => {
    const env = {
      ALONE: "{{.Node.Hostname}}",
      OTHER: "{{ range .Items }} {{.Title}}",
      PRICE: "$${{.Task.Name}} ({{.Task.Name}})",
      TEXT: "$(X) {{.Service.Name}}.{{ .Task.Name }}.{{.Task.Slot}}",
    };
    const { manifests, said } = exported(stackOf("shop", [service("web", { env })]));
    expect(found(manifests, "Deployment web")["spec"]).toMatchObject({
      template: {
        spec: {
          containers: [
            {
              env: [
                { name: "DAVIT_TASK_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                { name: "ALONE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
                { name: "OTHER", value: "{{ range .Items }} {{.Title}}" },
                { name: "PRICE", value: "$$$$$(DAVIT_TASK_NAME) ($(DAVIT_TASK_NAME))" },
                { name: "TEXT", value: "$$(X) shop_web.$(DAVIT_TASK_NAME).{{.Task.Slot}}" },
              ],
            },
          ],
        },
      },
    });
    expect(said).toEqual(["web: environment: TEXT: {{.Task.Slot}} is not filled in"]);
  });

  test("in a Secret or in a path of the node are said not to be filled in", () => {
    const mounts = [{ kind: "bind", source: "/data/{{.Node.Hostname}}", target: "/data", readOnly: false }] as const;
    const stack = stackOf("shop", [
      service("web", { env: { TOKEN: "{{.Task.Name}}" } }, { mounts, env: { TOKEN: "{{.Task.Name}}" } }),
    ]);
    expect(exported(stack, { secretEnv: ["TOKEN"] }).said).toEqual([
      "web: volumes: /data/{{.Node.Hostname}}: the path is taken as it stands",
      "web: environment: TOKEN: {{.Task.Name}} is not filled in",
    ]);
  });
});

describe("configs", () => {
  function withConfig(bytes: Uint8Array): StackSpec {
    const mounts = [{ kind: "config", config: "ab12cd34ef", name: "./big.bin", target: "/big", mode: 0o444 }] as const;
    const configs = [{ id: "ab12cd34ef", data: Buffer.from(bytes).toString("base64") }];
    return { ...stackOf("shop", [service("web", {}, { mounts })]), configs };
  }

  test("what kubectl apply, or a ConfigMap, cannot hold is said with its size", () => {
    expect(exported(withConfig(new Uint8Array(300_000))).said).toEqual([
      "configs.big.bin: size: 300000 bytes are too large for a plain kubectl apply",
    ]);
    expect(exported(withConfig(new Uint8Array(1_100_000))).said).toEqual([
      "configs.big.bin: size: 1100000 bytes are more than a ConfigMap holds (1 MiB)",
    ]);
  });

  test("text comes back to the byte, with its carriage returns, and bytes as base64", () => {
    const map = (bytes: Uint8Array) => found(exported(withConfig(bytes)).manifests, "ConfigMap big-bin-ab12cd34");
    expect(map(new TextEncoder().encode("a\r\n\tb\n"))["data"]).toEqual({ "big.bin": "a\r\n\tb\n" });
    expect(map(Uint8Array.of(0xff, 0x00))["binaryData"]).toEqual({ "big.bin": "/wA=" });
  });
});

describe("choices of the user", () => {
  const ports = [
    { target: 80, published: { from: 80, to: 80 }, protocol: "tcp", mode: "ingress" },
    { target: 81, published: { from: 81, to: 81 }, protocol: "tcp", mode: "ingress" },
  ] as const;
  const stack = stackOf("shop", [service("web", { template: { ports } })]);

  test.each([
    ["a service that is not there", { host: "a.example.org", service: "wep", port: 80 }, "there is no service 'wep'"],
    ["a host that is none", { host: "A example", service: "web", port: 80 }, "it is no host name"],
    [
      "one port among several that is not named",
      { host: "a.example.org", service: "web" },
      "has not exactly one known TCP port",
    ],
  ])("an ingress to %s is refused", (_, route, reason) => {
    expect(() => exportStack(stack, { ...OPTIONS, ingress: [route] })).toThrow(reason);
  });

  test("a host that is sent to two services is refused", () => {
    const route = { host: "a.example.org", service: "web", port: 80 };
    expect(() => exportStack(stack, { ...OPTIONS, ingress: [route, route] })).toThrow("it is there twice");
  });

  test("what an Ingress leads to is not published a second time", () => {
    const { manifests } = exported(stack, { ingress: [{ host: "a.example.org", service: "web", port: 80 }] });
    expect(found(manifests, "Service web-published")["spec"]).toMatchObject({
      type: "LoadBalancer",
      ports: [{ port: 81 }],
    });
    expect(found(manifests, "Service web")["spec"]).toMatchObject({ ports: [{ port: 80 }, { port: 81 }] });
  });

  test("a variable for a Secret that no service has is refused", () => {
    expect(() => exportStack(stack, { ...OPTIONS, secretEnv: ["TOKEN"] })).toThrow("no service has such a variable");
  });
});
