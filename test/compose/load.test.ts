// Compose files to stacks, rule by rule, and what is said of files that are wrong.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { assert as check, property, string as anyString } from "fast-check";
import { KEYS, verdictOn } from "../../src/compose/keys/table.ts";
import { parseBytes, parseDuration, splitWords } from "../../src/compose/spec/values.ts";
import { interpolateText } from "../../src/compose/tree/interpolate.ts";
import { renderProblem } from "../../src/compose/tree/node.ts";
import { parseFile } from "../../src/compose/tree/parse.ts";
import { load, problems, web } from "./harness.ts";

describe("a service", () => {
  test("with an image alone gets a name of its stack, one replica and the documented defaults", () => {
    const service = web("");
    expect(service).toMatchObject({ name: "shop_web", stack: "shop", mode: { kind: "replicated", replicas: 1 } });
    expect(service.template).toMatchObject({
      settleMs: 1_000,
      health: { probe: { kind: "image" } },
      restart: { condition: "any" },
    });
    expect(service.update).toMatchObject({
      parallelism: 1,
      order: "stop-first",
      failureAction: "pause",
      monitorMs: 5_000,
    });
  });

  test("publishes short and long ports, ranges, pairs of ranges, host addresses and protocols", () => {
    const { ports } = web(
      'ports: ["8080:80", "127.0.0.1:53:53/udp", "8080-8089:80", "3000-3001:4000-4001", {target: 80, published: "9000", mode: host}, "80"]',
    ).template;
    expect(ports).toEqual([
      { target: 53, published: { from: 53, to: 53 }, protocol: "udp", mode: "ingress", hostIp: "127.0.0.1" },
      { target: 80, published: { from: 8080, to: 8080 }, protocol: "tcp", mode: "ingress" },
      { target: 80, published: { from: 8080, to: 8089 }, protocol: "tcp", mode: "ingress" },
      { target: 80, published: { from: 9000, to: 9000 }, protocol: "tcp", mode: "host" },
      { target: 80, published: { from: 30_000, to: 32_767 }, protocol: "tcp", mode: "ingress" },
      { target: 4000, published: { from: 3000, to: 3000 }, protocol: "tcp", mode: "ingress" },
      { target: 4001, published: { from: 3001, to: 3001 }, protocol: "tcp", mode: "ingress" },
    ]);
  });

  test("takes environment in both forms, from files and from the command's own environment", () => {
    const service = web(
      'env_file: [a.env, {path: missing.env, required: false}]\nenvironment:\n  - "A=1"\n  - HERE\n  - GONE',
      {
        environment: { HERE: "yes" },
        files: { "a.env": "A=0\nB='two words'\n# comment\nC=${A}x\n" },
      },
    );
    expect(service.template.container.env).toEqual({ A: "1", B: "two words", C: "0x", HERE: "yes" });
  });

  test("keeps numbers as they are written where a text is wanted", () => {
    expect(web("environment: {ZIP: 012, VERSION: 1.10, ON: yes, TIME: 1:30}").template.container.env).toEqual({
      ZIP: "012",
      VERSION: "1.10",
      ON: "yes",
      TIME: "1:30",
    });
  });

  test("cuts a command as a shell does, and leaves a list alone", () => {
    expect(web(`command: serve --name "a b" 'c d'`).template.container.command).toEqual([
      "serve",
      "--name",
      "a b",
      "c d",
    ]);
    expect(web("entrypoint: [sh, -c, 'a b']").template.container.entrypoint).toEqual(["sh", "-c", "a b"]);
  });

  test("has its health checked by the image, a command, HTTP or TCP, or not at all", () => {
    expect(
      web("healthcheck: {test: [CMD, true], interval: 2s, retries: 5, start_period: 1m}").template.health,
    ).toMatchObject({
      probe: { kind: "command", argv: ["true"] },
      intervalMs: 2_000,
      retries: 5,
      startPeriodMs: 60_000,
    });
    expect(web("healthcheck: {test: curl -f localhost}").template.health.probe).toEqual({
      kind: "shell",
      command: "curl -f localhost",
    });
    expect(web("healthcheck: {disable: true}").template.health.probe).toEqual({ kind: "none" });
    expect(web("x-davit: {health: {http: {port: 80, path: /up}}, settle: 3s}").template).toMatchObject({
      health: { probe: { kind: "http", port: 80, path: "/up" } },
      settleMs: 3_000,
    });
    expect(web("x-davit: {health: {tcp: {port: 5432}, interval: 1s}}").template.health).toMatchObject({
      probe: { kind: "tcp", port: 5432 },
      intervalMs: 1_000,
    });
  });

  test("reads deploy: placement, resources, restart and update policies", () => {
    const service = web(
      `deploy:
  replicas: 6
  labels: {team: a}
  placement: {constraints: ["node.labels.disk==ssd", "node.hostname != n1"], preferences: [{spread: node.labels.zone}], max_replicas_per_node: 2}
  resources: {limits: {cpus: "0.5", memory: 64M}, reservations: {memory: 32m, generic_resources: [{discrete_resource_spec: {kind: gpu, value: 1}}]}}
  restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 1m}
  update_config: {parallelism: 2, delay: 10s, order: start-first, failure_action: rollback, max_failure_ratio: 0.1, monitor: 30s}`,
    );
    expect(service.mode).toEqual({ kind: "replicated", replicas: 6 });
    expect(service.labels).toEqual({ team: "a" });
    expect(service.template.placement).toEqual({
      constraints: [
        { attribute: "node.hostname", operator: "!=", value: "n1" },
        { attribute: "node.labels.disk", operator: "==", value: "ssd" },
      ],
      spreadOver: ["node.labels.zone"],
      maxPerNode: 2,
      platforms: [],
    });
    expect(service.template.resources).toMatchObject({
      limits: { cpus: 0.5, memoryBytes: 67_108_864 },
      reservations: { memoryBytes: 33_554_432, generic: { gpu: 1 } },
    });
    expect(service.template.restart).toEqual({
      condition: "on-failure",
      delayMs: 5_000,
      maxAttempts: 3,
      windowMs: 60_000,
    });
    expect(service.update).toEqual({
      parallelism: 2,
      delayMs: 10_000,
      order: "start-first",
      failureAction: "rollback",
      maxFailureRatio: 0.1,
      monitorMs: 30_000,
    });
  });

  test("mounts named volumes by their full names, absolute paths and tmpfs", () => {
    const loaded = load(
      "services:\n  db:\n    image: x\n    volumes: [data:/data, /srv:/srv:ro, shared:/s]\n    tmpfs: /tmp:size=1m\nvolumes:\n  data:\n  shared: {external: true}\n",
    );
    expect(problems(loaded)).toEqual([]);
    expect(loaded.stack?.services[0]?.template.container.mounts).toEqual([
      { kind: "volume", volume: "shop_data", target: "/data", readOnly: false },
      { kind: "volume", volume: "shared", target: "/s", readOnly: false },
      { kind: "bind", source: "/srv", target: "/srv", readOnly: true, createSource: true },
      { kind: "tmpfs", target: "/tmp", sizeBytes: 1_048_576 },
    ]);
  });
});

describe("several files", () => {
  test("merge mappings, append lists, replace commands, and key ports and mounts by what they mean", () => {
    const loaded = load([
      'services:\n  web:\n    image: a\n    command: [one]\n    environment: {A: "1", B: "1"}\n    ports: ["80:80"]\n    cap_add: [NET_ADMIN]',
      'services:\n  web:\n    image: b\n    command: [two]\n    environment: ["B=2"]\n    ports: ["80:80", "81:81"]\n    cap_add: [SYS_TIME]',
    ]);
    const container = loaded.stack?.services[0]?.template.container;
    expect(container).toMatchObject({
      image: "b",
      command: ["two"],
      env: { A: "1", B: "2" },
      runtime: { capAdd: ["NET_ADMIN", "SYS_TIME"] },
    });
    expect(loaded.stack?.services[0]?.template.ports.length).toBe(2);
  });

  test("!reset takes a value away, !override replaces it", () => {
    const loaded = load([
      'services:\n  web:\n    image: a\n    ports: ["80:80"]\n    user: me',
      'services:\n  web:\n    ports: !override ["90:90"]\n    user: !reset null',
    ]);
    expect(loaded.stack?.services[0]?.template.ports.map((port) => port.published.from)).toEqual([90]);
    expect(loaded.stack?.services[0]?.template.container.user).toBeUndefined();
  });

  test("an empty one changes nothing", () => {
    const text = "services:\n  web:\n    image: a\n    ports: ['80:80']\n";
    expect(load([text, "services: {}"]).stack).toEqual(load(text).stack);
  });
});

describe("problems", () => {
  test("come all at once, sorted, each with file, line, column and path", () => {
    const loaded = load(
      'services:\n  web:\n    image: a\n    ports: ["99999:80"]\n    imagee: b\n    deploy: {replicas: many}\n    secrets: [a]\n',
    );
    expect(problems(loaded)).toEqual([
      "compose.yaml:4:13 services.web.ports[0]: '99999:80' is not a port range (1–65535)",
      "compose.yaml:5:5 services.web.imagee: is not a key here; did you mean image?",
      "compose.yaml:6:24 services.web.deploy.replicas: 'many' is not a whole number from 0 to 10000",
      "compose.yaml:7:5 services.web.secrets: is not supported yet: environment works, but whoever may read the cluster's state can read it",
    ]);
    expect(loaded.stack).toBeUndefined();
  });

  test.each([
    ["services: {w: {image: a, replicas: 3}}", "services.w.replicas", "did you mean deploy.replicas?"],
    ["services: {w: {image: a, x-davit: {timezone: UTC}}}", "timezone", "did you mean schedule.timezone?"],
    ["services: {w: {image: a, x-davit: {port: 80}}}", "port", "health.http.port, health.tcp.port or ingress.port?"],
    [
      "services: {w: {image: a, deploy: {ports: [80]}}}",
      "services.w.deploy.ports",
      ", services.w.ports is one; known: endpoint_mode, ",
    ],
    ["services: {w: {image: a, aliases: [b]}}", "aliases", "did you mean networks.NAME.aliases?"],
    ["services: {w: {image: a}}\nreplicas: 3", "replicas", "did you mean services.NAME.deploy.replicas?"],
    ["services: {w: {image: a, timeout: 3s}}", "timeout", "known: annotations, attach, "],
    ["services: {w: {image: a}}\nwhat: 3", "what", "known: version, name, services, networks, volumes, "],
  ])("say of a key in the wrong place where it has a meaning, if that is in few: %s", (text, key, hint) => {
    const [problem] = problems(load(text));
    expect(problem).toContain(`${key}: is not a key here`);
    expect(problem).toContain(hint);
  });

  test("of a percentage where Compose has a number name davit's own key", () => {
    const text = "services: {w: {image: a, deploy: {rollback_config: {parallelism: 25%}}}}";
    expect(problems(load(text))).toEqual([
      "compose.yaml:1:66 services.w.deploy.rollback_config.parallelism: wants a number, got '25%': write that as x-davit.rollback.parallelism",
    ]);
  });

  test("name what is refused and the way out", () => {
    const text = problems(
      load(
        "services:\n  web:\n    build: .\n    volumes: [./html:/www, nowhere:/x]\n    x-davit: {on_lease_lost: stop, heath: 1}\n    deploy: {mode: replicated-job}\n",
      ),
    ).join("\n");
    expect(text).toContain("services.web.build: needs image: beside it");
    expect(text).toContain("is a path on this machine, not on the nodes");
    expect(text).toContain("volume 'nowhere' is not declared");
    expect(text).toContain("stop is not supported until nodes have a fence");
    expect(text).toContain("did you mean health?");
  });

  test("a dependency on nothing, and a circle of dependencies, are found", () => {
    const text = problems(
      load("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a, c]}\n"),
    ).join("\n");
    expect(text).toContain("there is no service 'c'");
    expect(text).toContain("services.a.depends_on: comes back to the service itself");
  });

  test("every key of the specification has a verdict, or one above it that refuses or ignores it as a whole", () => {
    const { paths } = JSON.parse(readFileSync(join(import.meta.dirname, "fixtures/schema-keys.json"), "utf8")) as {
      paths: string[];
    };
    const without = paths.filter((path) => {
      const own = verdictOn(path);
      return (
        own === undefined || (KEYS[path] === undefined && !["refused", "ignored", "not yet"].includes(own.verdict))
      );
    });
    expect(without).toEqual([]);
  });

  test("profiles choose services, and a service without one is always there", () => {
    const text = "services:\n  web: {image: a}\n  debug: {image: b, profiles: [debug]}\n";
    expect(load(text).stack?.services.map((service) => service.name)).toEqual(["shop_web"]);
    expect(load(text, { profiles: ["debug"] }).stack?.services.length).toBe(2);
  });
});

describe("variables", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["$A ${A}", "1 1"],
    ["${B:-x} ${B-x} ${E:-x} ${E-x}", "x x x "],
    ["${A:+y} ${B+y} ${E+y} ${E:+y}", "y  y "],
    ["${B:-${C:-${A}}}", "1"],
    ["$$A $1 100%", "$A $1 100%"],
  ];
  test.each(cases)("%s becomes %s", (text, expected) => {
    expect(interpolateText(text, { A: "1", E: "" }).text).toBe(expected);
  });

  test("a required one that is missing is a problem with its sentence, a plain one a warning", () => {
    const loaded = load("services:\n  web:\n    image: ${IMAGE:?set IMAGE}\n    user: $NOBODY\n");
    expect(problems(loaded)).toEqual(["compose.yaml:3:12 services.web.image: variable IMAGE is required: set IMAGE"]);
    expect(loaded.warnings.map(renderProblem)).toEqual([
      "compose.yaml:4:11 services.web.user: variable NOBODY is not set: an empty text is taken",
    ]);
  });

  test("a text without a dollar stays as it is", () => {
    const isKept = property(anyString(), (text) => text.includes("$") || interpolateText(text, {}).text === text);
    expect(() => check(isKept)).not.toThrow();
  });
});

describe("small languages", () => {
  test("durations, sizes and words", () => {
    expect([parseDuration("1h2m3s4ms"), parseDuration("1.5s"), parseDuration("5"), parseDuration("s")]).toEqual([
      3_723_004,
      1_500,
      undefined,
      undefined,
    ]);
    expect([parseBytes("1k"), parseBytes("1.5GB"), parseBytes("7"), parseBytes("7x")]).toEqual([
      1_024,
      1_610_612_736,
      7,
      undefined,
    ]);
    expect([splitWords(`a "b\\"c" d\\ e`), splitWords("'a")]).toEqual([["a", 'b"c', "d e"], undefined]);
    expect(parseFile("a", "a: 1\nb: [").problems[0]?.at).toMatchObject({ line: 2 });
  });
});
