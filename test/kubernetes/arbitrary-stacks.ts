// Stacks that nobody would write: every field there or not, names that Kubernetes does not take, mounts, ports and networks in any
// combination that the model allows.

import fc from "fast-check";
import type { JobSpec } from "../../src/core/model/job.ts";
import {
  CONSTRAINT_OPERATORS,
  type ContainerSpec,
  type HealthSpec,
  type Hook,
  type Mount,
  type PlacementSpec,
  type PortSpec,
  type ResourceSpec,
  type RestartPolicy,
  type ServiceMode,
  type ServiceSpec,
  type StackSpec,
  type TaskTemplate,
  type VolumeSpec,
} from "../../src/core/model/service-spec.ts";
import type { UpdatePolicy } from "../../src/core/model/update-policy.ts";
import { defined, labels, list, ms, optional, path, runtime, text, whole, word } from "./arbitrary-values.ts";
import type { ExportOptions } from "../../src/kubernetes/manifest.ts";

const STACK = "odd_stack";
const VOLUMES = ["odd_stack_data", "odd_stack_DATA", "odd_stack_my.data", "odd_stack_my-data", "shared", "1st"];
const NETWORKS = ["odd_stack_front", "odd_stack_back", "odd_stack_Back"];
const CONFIGS = ["0a".repeat(32), "1b".repeat(32)];

const mode: fc.Arbitrary<ServiceMode> = fc.oneof(
  fc.record({ kind: fc.constant("replicated" as const), replicas: whole(0, 5) }),
  fc.constant({ kind: "global" } as const),
  fc.record({ kind: fc.constant("replicated-job" as const), completions: whole(1, 4), concurrency: whole(1, 4) }),
  fc.constant({ kind: "global-job" } as const),
);

const policy: fc.Arbitrary<UpdatePolicy> = fc.record({
  parallelism: whole(0, 6),
  delayMs: ms,
  order: fc.constantFrom("start-first", "stop-first"),
  failureAction: fc.constantFrom("pause", "continue", "rollback"),
  maxFailureRatio: fc.constantFrom(0, 0.5, 1),
  monitorMs: ms,
});

const mount: fc.Arbitrary<Mount> = fc.oneof(
  fc
    .record({
      target: path,
      volume: fc.constantFrom(...VOLUMES),
      readOnly: fc.boolean(),
      noCopy: optional(fc.boolean()),
      subpath: optional(word),
    })
    .map((fields) => defined({ kind: "volume", ...fields }) as Mount),
  fc
    .record({
      target: path,
      source: fc.oneof(path, fc.constantFrom("/var/run/docker.sock", "/etc/localtime", "/srv/../etc", "/dev/net/tun")),
      readOnly: fc.boolean(),
      createSource: optional(fc.boolean()),
      propagation: optional(fc.constantFrom("rslave", "rshared", "shared", "private")),
    })
    .map((fields) => defined({ kind: "bind", ...fields }) as Mount),
  fc
    .record({
      target: path,
      config: fc.constantFrom(...CONFIGS),
      name: fc.oneof(word, text),
      mode: whole(0, 0o777),
      uid: optional(whole(0, 9)),
      gid: optional(whole(0, 9)),
    })
    .map((fields) => defined({ kind: "config", ...fields }) as Mount),
  fc
    .record({
      target: fc.oneof(path, fc.constant("/dev/shm")),
      sizeBytes: optional(whole(0, 1e9)),
      mode: optional(whole(0, 0o1777)),
    })
    .map((fields) => defined({ kind: "tmpfs", ...fields }) as Mount),
);

const hook: fc.Arbitrary<Hook> = fc
  .record({
    argv: fc.array(text, { minLength: 1, maxLength: 3 }),
    env: labels,
    user: optional(word),
    workingDir: optional(path),
    privileged: optional(fc.boolean()),
  })
  .map(defined) as fc.Arbitrary<Hook>;

const container: fc.Arbitrary<ContainerSpec> = fc
  .record({
    image: fc.constantFrom("nginx", "registry.example.org/a/b:1", "app@sha256:" + "0".repeat(64)),
    pullPolicy: fc.constantFrom("missing" as const, "always" as const, "never" as const),
    entrypoint: optional(list(text)),
    command: optional(list(text)),
    env: fc.dictionary(fc.oneof(word, fc.constantFrom("HOME", "TOKEN")), text, { maxKeys: 4 }),
    labels,
    mounts: fc.uniqueArray(mount, { maxLength: 6, selector: ({ target }) => target }),
    stopGraceMs: ms,
    stopSignal: optional(fc.constantFrom("SIGTERM", "SIGINT")),
    workingDir: optional(path),
    user: optional(fc.constantFrom("root", "1000", "1000:1000", "www-data", "0:users", "99999999999", "")),
    groups: optional(list(fc.constantFrom("20", "docker", "0"))),
    hostname: optional(fc.oneof(word, fc.constant("front"))),
    domainname: optional(word),
    init: optional(fc.boolean()),
    tty: optional(fc.boolean()),
    openStdin: optional(fc.boolean()),
    readOnly: optional(fc.boolean()),
    logging: optional(fc.record({ driver: word, options: labels })),
    networkMode: optional(fc.constantFrom("host" as const, "none" as const)),
    postStart: optional(list(hook)),
    preStop: optional(list(hook)),
    runtime,
  })
  .map(defined) as fc.Arbitrary<ContainerSpec>;

const resources: fc.Arbitrary<ResourceSpec> = fc.record({
  limits: fc.record({
    cpus: fc.constantFrom(0, 0.0001, 0.25, 1.5, 8),
    memoryBytes: fc.constantFrom(0, 1_000, 1_048_576, 2 ** 33),
    pids: whole(0, 9),
  }),
  reservations: fc.record({
    cpus: fc.constantFrom(0, 0.1, 2),
    memoryBytes: fc.constantFrom(0, 999_999, 2 ** 30),
    generic: fc.dictionary(fc.constantFrom("gpu", "nvidia.com/gpu", "Odd/Name"), whole(0, 4)),
  }),
});

const affinity = fc.record({
  service: fc.constantFrom(`${STACK}_web`, `${STACK}_db`, "other_web"),
  required: fc.boolean(),
});

const job: fc.Arbitrary<JobSpec> = fc
  .record({
    schedule: optional(
      fc.record({
        cron: fc.constantFrom("*/5 * * * *", "0 0 3 L * *", "15 0 0 3 * MON-FRI", "0 4 * JUL WED", "0 0 * * 5#2"),
        timezone: fc.constantFrom("UTC", "Europe/Vienna"),
      }),
    ),
    after: fc.constantFrom([], [`${STACK}_db`]),
    overlap: fc.constantFrom("forbid" as const, "allow" as const, "replace" as const),
    startingDeadlineMs: ms,
    timeoutMs: ms,
    keptRuns: whole(0, 9),
  })
  .map(defined) as fc.Arbitrary<JobSpec>;

const placement: fc.Arbitrary<PlacementSpec> = fc.record({
  constraints: list(
    fc.record({
      attribute: fc.constantFrom(
        "node.hostname",
        "node.role",
        "node.id",
        "node.ip",
        "node.platform.os",
        "node.platform.arch",
        "node.labels.disk",
        "node.labels.a/b/c",
        "engine.labels.x",
      ),
      operator: fc.constantFrom(...CONSTRAINT_OPERATORS),
      value: fc.constantFrom("n1", "linux", "x86_64", "a b", "", "n1, n2", "web-*", "500", "1.5"),
    }),
  ),
  spreadOver: list(fc.constantFrom("node.labels.zone", "node.hostname", "node.ip")),
  maxPerNode: whole(0, 3),
  platforms: list(fc.constantFrom("linux/amd64", "linux/arm64/v8", "linux")),
  affinity: list(affinity),
  antiAffinity: list(affinity),
  priority: whole(0, 2),
  preempt: fc.boolean(),
  strategy: fc.constantFrom("spread", "binpack"),
});

const restart: fc.Arbitrary<RestartPolicy> = fc.record({
  condition: fc.constantFrom("any", "on-failure", "none"),
  delayMs: ms,
  maxAttempts: whole(0, 5),
  windowMs: ms,
});

const port = whole(1, 65_535);
const health: fc.Arbitrary<HealthSpec> = fc.record({
  probe: fc.oneof(
    fc.constantFrom({ kind: "image" } as const, { kind: "none" } as const),
    fc.record({ kind: fc.constant("command" as const), argv: fc.array(text, { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant("shell" as const), command: text }),
    fc.record({ kind: fc.constant("http" as const), port, path: fc.constantFrom("/", "/healthz?x=1") }),
    fc.record({ kind: fc.constant("tcp" as const), port }),
  ),
  intervalMs: whole(100, 60_000),
  timeoutMs: whole(100, 60_000),
  retries: whole(1, 9),
  startPeriodMs: ms,
  startIntervalMs: whole(100, 9_000),
});

const published: fc.Arbitrary<PortSpec> = fc
  .record({
    target: fc.oneof(port, fc.constantFrom(80, 443, 8080)),
    published: fc.oneof(
      fc.constant({ from: 30_000, to: 32_767 }),
      fc
        .tuple(fc.oneof(port, fc.constantFrom(80, 8080, 30_080)), whole(0, 3))
        .map(([from, more]) => ({ from, to: Math.min(65_535, from + more) })),
    ),
    protocol: fc.constantFrom("tcp" as const, "udp" as const),
    mode: fc.constantFrom("ingress" as const, "host" as const),
    hostIp: optional(fc.constantFrom("127.0.0.1", "::1", "0.0.0.0", "10.0.0.5")),
  })
  .map(defined) as fc.Arbitrary<PortSpec>;

const template: fc.Arbitrary<TaskTemplate> = fc.record({
  container,
  resources,
  placement,
  restart,
  health,
  ports: list(published),
  networks: fc.uniqueArray(
    fc.record({
      network: fc.constantFrom(...NETWORKS),
      aliases: list(fc.constantFrom("db", "web", "Some_Alias", "www", "web-published")),
    }),
    { maxLength: 2, selector: ({ network }) => network },
  ),
  settleMs: ms,
  onLeaseLost: fc.constantFrom("keep", "stop"),
});

const shortName = fc.oneof(
  fc.constantFrom(
    "web",
    "db",
    "my_db",
    "my-db",
    "my.db",
    "1st",
    "web-published",
    "x-1st",
    "a".repeat(53),
    `${"a".repeat(52)}b`,
  ),
  fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,20}$/),
);

const service = shortName.chain((short) =>
  fc.record<ServiceSpec>({
    name: fc.constant(`${STACK}_${short}`),
    stack: fc.constant(STACK),
    labels,
    mode,
    job,
    template,
    update: policy,
    rollback: policy,
  }),
);

const volume = (name: string): fc.Arbitrary<VolumeSpec> =>
  fc.record({
    name: fc.constant(name),
    stack: fc.constant(STACK),
    driver: fc.constantFrom("local", "local", "rexray"),
    driverOpts: fc.constantFrom<Readonly<Record<string, string>>>(
      {},
      {},
      { type: "nfs", o: "addr=10.0.0.9,ro,hard", device: ":/export" },
      { type: "nfs4", o: "rw", device: "/export" },
      { type: "none", o: "bind", device: "/srv/data" },
      { type: "tmpfs", o: "size=64m,uid=1", device: "tmpfs" },
      { type: "cifs", o: "username=x", device: "//server/share" },
    ),
    labels,
    external: fc.boolean(),
  });

export const arbitraryStack: fc.Arbitrary<StackSpec> = fc.record({
  name: fc.constant(STACK),
  services: fc.uniqueArray(service, { minLength: 1, maxLength: 4, selector: ({ name }) => name }),
  volumes: fc.tuple(...VOLUMES.map(volume)),
  networks: fc.constant(
    NETWORKS.map((name, at) => ({
      name,
      stack: STACK,
      driver: "davit",
      internal: at === 1,
      labels: {},
      external: false,
    })),
  ),
  configs: fc.tuple(
    ...CONFIGS.map((id) =>
      fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ id, data: Buffer.from(bytes).toString("base64") })),
    ),
  ),
});

export const arbitraryOptions: fc.Arbitrary<Omit<ExportOptions, "ingress" | "secretEnv">> = fc
  .record({
    namespace: optional(fc.constant("apps")),
    publish: fc.constantFrom("load-balancer" as const, "node-port" as const, "cluster-ip" as const),
    volumeSize: fc.constant("1Gi"),
    storageClass: optional(fc.constant("fast")),
    networkPolicies: fc.boolean(),
    imagePullSecrets: fc.constantFrom([], ["registry"]),
    exposed: fc.constantFrom({}, { [`${STACK}_web`]: [{ port: 80, protocol: "tcp" as const }] }),
  })
  .map(defined) as fc.Arbitrary<Omit<ExportOptions, "ingress" | "secretEnv">>;
