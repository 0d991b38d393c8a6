// Each verb of the command line against a served API: what it asks for, and what it says.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { serve, type Serving, until } from "../api/serving.ts";
import { Harness, type HarnessOptions } from "./harness.ts";

const SHOP = stackOf("shop", [
  serviceOf("shop", "web"),
  serviceOf("shop", "store", { replicas: 1, volume: "shop_data" }),
]);

const COMPOSE = `name: shop
services:
  web:
    image: web:v1
    deploy: {replicas: 2}
`;

/** A shop that runs on n1. */
async function shop(options: HarnessOptions = {}): Promise<Serving & { readonly cli: Harness }> {
  const serving = await serve();
  serving.backend.model.node("n1");
  await serving.client.deploy(SHOP);
  serving.backend.run(20_000);
  return { ...serving, cli: new Harness({ client: serving.client, nowMs: serving.backend.nowMs(), ...options }) };
}

function folderWith(compose: string): string {
  const folder = mkdtempSync(join(tmpdir(), "davit-cli-"));
  writeFileSync(join(folder, "compose.yaml"), compose);
  return folder;
}

describe("reading", () => {
  test("an empty cluster tells what to do first", async () => {
    const { client } = await serve();
    const cli = new Harness({ client });
    for (const noun of ["node", "service", "stack", "registry", "token"]) expect(await cli.run(noun, "ls")).toBe(0);
    expect(await cli.run("ps")).toBe(0);
    expect(cli.stdout).toBe(
      [
        "there are no nodes yet: davit node add user@host",
        "there are no services yet: davit deploy -f compose.yaml",
        "there are no stacks yet: davit deploy -f compose.yaml",
        "there are no credentials: davit registry login HOST",
        "there are no tokens: davit token create NAME",
        "there are no tasks\n",
      ].join("\n"),
    );
  });

  test("tables show nodes, stacks, services and tasks", async () => {
    const { cli } = await shop();
    for (const words of [
      ["node", "ls"],
      ["stack", "ls"],
      ["service", "ls"],
      ["service", "ps", "shop_web"],
      ["stack", "ps", "shop"],
      ["ps"],
    ])
      expect(await cli.run(...words)).toBe(0);
    expect(cli.stdout).toMatch(/^n1 +10\.0\.0\.11 +ready +active +3 /m);
    expect(cli.stdout).toMatch(/^shop +2 +3\/3 +healthy$/m);
    expect(cli.stdout).toMatch(/ shop_web +replicated +2\/2 +web:v1/);
    expect(cli.stdout.match(/ shop_web\.1 +web:v1 +n1 +running \(healthy\)/g)).toHaveLength(3);
    expect(cli.stdout.match(/ shop_store\.1 /g)).toHaveLength(2);
    expect(cli.stderr).toBe("");
  });

  test("--json prints the views of the API on everything that reads", async () => {
    const { client, cli } = await shop();
    for (const words of [
      "node ls",
      "node inspect n1",
      "stack ls",
      "stack ps shop",
      "service ls",
      "service ps shop_web",
      "service inspect shop_web",
      "service explain shop_web",
      "lookup shop_web",
      "ps",
      "registry ls",
      "token ls",
      "version",
    ]) {
      cli.stdout = "";
      expect([words, await cli.run(...words.split(" "), "--json")]).toEqual([words, 0]);
      expect(JSON.parse(cli.stdout)).toBeDefined();
    }
    cli.stdout = "";
    await cli.run("service", "ls", "--json");
    expect(JSON.parse(cli.stdout)).toEqual(await client.services());
  });

  test("events of the past are listed in order, and the command ends", async () => {
    const { cli, backend } = await shop({ passes: () => false });
    expect(await cli.run("events", "--type", "service.")).toBe(0);
    const told = backend.history.filter(({ type }) => type.startsWith("service."));
    expect(cli.stdout.trimEnd().split("\n")).toHaveLength(told.length);
    expect(cli.stdout).toMatch(/^\d+ {2}\S+Z {2}service\.created {2}.*shop_web/m);
  });

  test("followed events come until Ctrl-C", async () => {
    const { cli, client } = await shop();
    const done = cli.run("events", "-f", "--since", "0", "--json");
    await until(() => cli.stdout !== "");
    await client.scale("shop_web", 3);
    await until(() => cli.stdout.includes("replicas 2 → 3"));
    cli.interrupt();
    expect(await done).toBe(0);
    expect(JSON.parse(cli.stdout.split("\n")[0] ?? "")).toMatchObject({ seq: 1 });
  });

  test("logs name task and node, keep the two streams apart, and tell of nodes that cannot be reached", async () => {
    const { backend, cli } = await shop();
    const first = [...backend.model.state.task.values()].find((task) => task.slot === 2);
    backend.logsOf = (id) =>
      id === first?.id
        ? {
            lines: [
              { stream: "stdout", at: "2026-01-01T00:00:00Z", text: "hello" },
              { stream: "stderr", at: "2026-01-01T00:00:01Z", text: "oh" },
            ],
          }
        : { lines: [], fails: "n2 does not answer" };
    expect(await cli.run("service", "logs", "-t", "--tail", "5", "--since", "10m", "shop_web")).toBe(0);
    expect(cli.stdout).toMatch(/^shop_web\.\d@n1 \| 2026-01-01T00:00:00Z hello$/m);
    expect(cli.stderr).toMatch(/shop_web\.\d@n1 \| 2026-01-01T00:00:01Z oh/);
    expect(cli.stderr).toMatch(/^davit: .*n2 does not answer/m);
    expect(await cli.run("service", "logs", "--since", "yesterday", "shop_web")).toBe(2);
  });

  test("version names this program and the coordinator, and an absent coordinator is no failure", async () => {
    const { cli } = await shop();
    expect(await cli.run("version")).toBe(0);
    expect(cli.stdout).toMatch(/^davit \d+\.\d+\.\d+\ncoordinator 1\.2\.3, cluster /);
    const alone = new Harness();
    expect(await alone.run("version", "--json")).toBe(0);
    expect(JSON.parse(alone.stdout)).toMatchObject({ problem: expect.any(String) });
  });
});

describe("changing", () => {
  test("labels and availability of a node", async () => {
    const { client, cli } = await shop();
    expect(await cli.run("node", "label", "n1", "disk=ssd", "zone=a")).toBe(0);
    expect(await cli.run("node", "label", "n1", "zone-")).toBe(0);
    expect(cli.stdout).toContain("n1: disk=ssd\n");
    expect(await cli.run("node", "pause", "n1")).toBe(0);
    expect((await client.node("n1")).availability).toBe("pause");
    expect(await cli.run("node", "activate", "n1")).toBe(0);
    expect(await cli.run("node", "update", "n1", "--name", "first", "--address", "10.0.0.99:2222")).toBe(0);
    expect(await client.node("first")).toMatchObject({ address: "10.0.0.99:2222", availability: "active" });
    expect(await cli.run("node", "update", "first")).toBe(2);
    expect(cli.stderr).toContain("nothing to change: give --address, --endpoint, --name or --generic");
  });

  test("a drain waits until the node is empty", async () => {
    const { backend, cli } = await shop({ passes: () => false });
    backend.model.node("n2");
    backend.model.state.volume.clear();
    const done = cli.run("node", "drain", "n1");
    await until(() => cli.stderr.includes("n1: 3 tasks left"));
    backend.run(60_000);
    cli.elapse(300);
    expect(await done).toBe(0);
    expect(cli.stdout).toBe("n1 is empty\n");
  });

  test("a drain that cannot end says what is left, and Ctrl-C leaves it to itself", async () => {
    const { cli } = await shop();
    expect(await cli.run("node", "drain", "n1", "--timeout", "5s")).toBe(5);
    expect(cli.stderr).toMatch(/drain n1: 3 tasks left: shop_\w+\.1/);
    expect(cli.stderr).toContain("davit node activate n1 ends it");
    const done = cli.run("node", "drain", "n1");
    await until(() => cli.canInterrupt);
    cli.interrupt();
    expect(await done).toBe(130);
    expect(cli.stderr).toContain("detached: draining goes on");
  });

  test("a node is removed with each step told", async () => {
    const { client, backend, cli } = await shop();
    backend.model.node("n2");
    expect(await cli.run("node", "rm", "n2")).toBe(0);
    expect(cli.stderr).toContain("n2: removed");
    expect((await client.nodes()).map((node) => node.name)).toEqual(["n1"]);
  });

  test("a login is asked for on a terminal, or read from standard input, and never echoed", async () => {
    const { client } = await serve();
    const asking = new Harness({ client, answers: ["me", "secret"] });
    expect(await asking.run("registry", "login", "registry.test:5000")).toBe(0);
    expect(asking.screen).toBe("nodes log in to registry.test:5000 as me\n");
    const piped = new Harness({ client, stdin: "secret\n" });
    expect(await piped.run("registry", "login", "other.test", "-u", "me", "--password-stdin")).toBe(0);
    const silent = new Harness({ client });
    expect(await silent.run("registry", "login", "third.test", "-u", "me")).toBe(2);
    expect(silent.stderr).toContain("no password was given");
    expect(await piped.run("registry", "logout", "other.test")).toBe(0);
    expect((await client.registries()).map((registry) => registry.host)).toEqual(["registry.test:5000"]);
  });

  test("a token is printed alone, listed, and revoked", async () => {
    const { client } = await serve();
    const cli = new Harness({ client });
    expect(await cli.run("token", "create", "ci", "--role", "deployer", "--stack", "shop", "--expires", "12h")).toBe(0);
    expect(cli.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(cli.stderr).toContain("ci: deployer, until ");
    cli.stdout = "";
    expect(await cli.run("token", "revoke", "ci")).toBe(0);
    expect(await cli.run("token", "ls")).toBe(0);
    expect(cli.stdout).toMatch(/ci +deployer of shop +revoked /);
  });

  test("a dry run prints the plan and changes nothing", async () => {
    const { backend, client } = await serve();
    const cli = new Harness({ client, cwd: folderWith(COMPOSE) });
    expect(await cli.run("deploy", "--dry-run")).toBe(0);
    expect(cli.stdout).toMatch(/^shop: \d changes? \(dry run: nothing was done\)\n {2}\+ /);
    expect(cli.stdout).toContain("  + service shop_web");
    expect(backend.revision()).toBe(0);
  });

  test("a deploy can be left to itself", async () => {
    const { client } = await serve();
    const cli = new Harness({ client, cwd: folderWith(COMPOSE) });
    expect(await cli.run("deploy", "--detach", "--json")).toBe(0);
    expect(JSON.parse(cli.stdout)).toMatchObject({ stack: "shop", dryRun: false });
    expect((await client.services()).map((service) => service.name)).toEqual(["shop_web"]);
  });

  test("the merged Compose file needs no coordinator", async () => {
    const cli = new Harness({ cwd: folderWith(COMPOSE) });
    expect(await cli.run("stack", "config")).toBe(0);
    expect(cli.stdout).toContain("image: web:v1");
    cli.stdout = "";
    expect(await cli.run("stack", "config", "--json", "--name", "other")).toBe(0);
    expect(JSON.parse(cli.stdout)).toMatchObject({ stack: { name: "other" }, problems: [], warnings: [] });
  });
});

describe("Compose files", () => {
  test("--explain says where each value came from", async () => {
    const cwd = folderWith("name: shop\nservices:\n  web:\n    image: web:${TAG}\n");
    writeFileSync(join(cwd, "compose.override.yaml"), "services:\n  web:\n    user: app\n");
    writeFileSync(join(cwd, ".env"), "TAG=v7\n");
    const cli = new Harness({ cwd });
    expect(await cli.run("stack", "config", "--explain")).toBe(0);
    expect(cli.stdout).toMatch(/image: web:v7 # compose\.yaml:4 web:\$\{TAG\} \(TAG from .*\.env\)/);
    expect(cli.stdout).toMatch(/user: app # compose\.override\.yaml:3/);
  });

  test("--json gives problems as data, and ends with 2", async () => {
    const cli = new Harness({ cwd: folderWith("services:\n  web: {image: x, ports: ['99999:80']}\n") });
    expect(await cli.run("stack", "config", "--json")).toBe(2);
    const { stack, problems } = JSON.parse(cli.stdout) as Readonly<Record<string, unknown>>;
    expect(stack).toBeUndefined();
    expect(problems).toMatchObject([
      { file: "compose.yaml", line: 2, column: 27, path: "services.web.ports[0]", message: expect.any(String) },
    ]);
  });

  test("a service that is built says so, and --build in a dry run says what it would do", async () => {
    const { client } = await serve();
    const cwd = folderWith("services:\n  web: {image: 'registry.test/web:v1', build: .}\n");
    const cli = new Harness({ client, cwd });
    expect(await cli.run("deploy", "--dry-run")).toBe(0);
    expect(cli.stderr).toContain("registry.test/web:v1 is taken from its registry as it is there; --build builds");
    expect(await cli.run("deploy", "--dry-run", "--build")).toBe(0);
    expect(cli.stderr).toContain("web: would build registry.test/web:v1 from");
  });

  test("--build without a docker command says so, and nothing is deployed", async () => {
    const { client, backend } = await serve();
    const cwd = folderWith("services:\n  web: {image: 'registry.test/web:v1', build: .}\n");
    const cli = new Harness({ client, cwd, env: { PATH: cwd } });
    expect(await cli.run("deploy", "--build")).toBe(1);
    expect(cli.stderr).toContain("there is no docker command here; nothing was deployed");
    expect(backend.revision()).toBe(0);
  });
});

describe("wrong input", () => {
  test("words that fit no command name the nearest one and end with 2", async () => {
    const cli = new Harness();
    expect(await cli.run("servce", "ls")).toBe(2);
    expect(await cli.run("node", "lss")).toBe(2);
    expect(await cli.run("node", "ls", "--jsn")).toBe(2);
    expect(await cli.run("service", "scale", "web")).toBe(2);
    expect(await cli.run("deploy", "--timeout", "soon")).toBe(2);
    expect(await cli.run("token", "create", "x", "--role", "king")).toBe(2);
    expect(cli.stderr.split("\n").filter((line) => line.startsWith("davit: "))).toEqual([
      "davit: there is no command 'servce'; did you mean `service`?",
      expect.stringContaining("there is no command 'lss'; did you mean `ls`"),
      expect.stringContaining("there is no flag --jsn, did you mean --json?"),
      "davit: 'web' is not SERVICE=N: write web=6",
      "davit: 'soon' is not a time to wait: write 90s, 5m or 1h",
      expect.stringContaining('Expected "king" to be one of (admin|deployer|viewer)'),
    ]);
    expect(cli.stderr).not.toMatch(/\n +at /);
    expect(cli.stdout).toBe("");
  });

  test("every problem of Compose files is printed at once, in order, and nothing is asked of the coordinator", async () => {
    const cli = new Harness({
      cwd: folderWith("services:\n  web:\n    ports: ['99999:80']\n    restart: maybe\n  api: {image: 5, oops: 1}\n"),
    });
    expect(await cli.run("deploy")).toBe(2);
    const lines = cli.stderr.split("\n").filter((line) => line.startsWith("  - "));
    expect(lines.length).toBeGreaterThan(2);
    const places = lines.map((line) => Number(/compose\.yaml:(\d+):/.exec(line)?.[1]));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(cli.stderr).toContain(`${lines.length} problems`);
  });

  test("a file that is not there, and no file at all, are told apart", async () => {
    const cli = new Harness({ cwd: mkdtempSync(join(tmpdir(), "davit-cli-")) });
    expect(await cli.run("deploy", "-f", "nope.yaml")).toBe(2);
    expect(await cli.run("deploy")).toBe(2);
    expect(cli.stderr).toContain("read nope.yaml: it is not there");
    expect(cli.stderr).toContain("there is no Compose file here");
  });

  test("slips around Compose files are told with what to do instead", async () => {
    const cwd = folderWith("services: {web: {image: app}}\n");
    const outcomes: string[] = [];
    for (const argv of [
      ["deploy", "compose.yaml"],
      ["deploy", "--drun"],
      ["stack", "config", "-f", "."],
      ["stack", "config", "--name", "Not This"],
      ["stack", "config", "--project-directory", "nowhere"],
      ["stack", "config", "-f", "-"],
    ]) {
      const cli = new Harness({ cwd, stdin: "services: {web: {imge: app}}\n" });
      expect(await cli.run(...argv)).toBe(2);
      outcomes.push(cli.stderr);
    }
    expect(outcomes).toEqual([
      expect.stringContaining("way out: name Compose files with -f"),
      expect.stringContaining("there is no flag --drun, did you mean --dry-run?"),
      expect.stringContaining("it is a directory\n  way out: name a file in it, such as compose.yaml"),
      expect.stringContaining("'Not This' of --name is not a stack's name"),
      expect.stringContaining("read nowhere: it is no directory"),
      expect.stringContaining("stdin:1:18 services.web.imge: is not a key here; did you mean image?"),
    ]);
  });

  test("what does not exist ends with 3, what exists already or has changed with 4", async () => {
    const { cli } = await shop();
    expect(await cli.run("service", "inspect", "shop_api")).toBe(3);
    expect(await cli.run("stack", "rm", "nope")).toBe(3);
    expect(await cli.run("token", "create", "ci", "--json")).toBe(0);
    expect(await cli.run("token", "create", "ci", "--json")).toBe(4);
    expect(cli.stderr).toContain('"code": "already_exists"');
  });

  test("a coordinator that does not answer ends with 5 and says what to start", async () => {
    const { createClient } = await import("../../src/client/client.ts");
    const cli = new Harness({ client: createClient({ kind: "socket", socketPath: "/nonexistent/davit.sock" }) });
    expect(await cli.run("node", "ls", "--json")).toBe(5);
    expect(JSON.parse(cli.stderr)).toMatchObject({
      error: { code: "unavailable", wayOut: expect.stringContaining("davit up") },
    });
    expect(cli.stdout).toBe("");
  });
});
