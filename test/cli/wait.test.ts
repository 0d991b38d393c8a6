// Commands that wait: until convergence, a deadline, Ctrl-C, a lost connection.

import { describe, expect, test } from "vitest";
import { createClient } from "../../src/client/client.ts";
import type { DavitClient } from "../../src/client/types.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { serve, type Serving, until } from "../api/serving.ts";
import { Harness, type HarnessOptions, shownBy } from "./harness.ts";
import { progressView, taskView } from "./views.ts";

async function web(options: HarnessOptions = {}): Promise<Serving & { readonly cli: Harness }> {
  const serving = await serve();
  serving.backend.model.node("n1");
  await serving.client.deploy(stackOf("shop", [serviceOf("shop", "web")]));
  serving.backend.run(20_000);
  return { ...serving, cli: new Harness({ client: serving.client, ...options }) };
}

describe("waiting for a change", () => {
  test("without a terminal each change is a line, and convergence ends the command and says that watching goes on", async () => {
    const { backend, cli } = await web();
    const done = cli.run("service", "update", "shop_web", "--image", "web:v2");
    await until(() => cli.stderr.includes("shop_web: converging"));
    backend.run(5_000);
    expect(await done).toBe(0);
    expect(cli.stdout).toBe("shop_web is updating to version 2\n");
    expect(cli.stderr).toMatch(/^shop_web\.1 on n1: v2 running/m);
    expect(cli.stderr).toMatch(/^done; watching goes on in the background: shop_web \(.*watching for 5 s\)\n$/m);
    expect(cli.stderr).not.toContain("\u001b");
    const lines = cli.stderr.trim().split("\n");
    expect(lines).toEqual([...new Set(lines)]);
  });

  test("--wait-monitor stays until the watching is over", async () => {
    const { backend, cli } = await web();
    const done = cli.run("service", "update", "shop_web", "--image", "web:v2", "--wait-monitor");
    await until(() => cli.stderr.includes("shop_web: converging"));
    backend.run(5_000);
    await until(() => cli.stderr.includes("shop_web: watching"));
    backend.run(20_000);
    expect(await done).toBe(0);
    expect(cli.stderr).toContain("shop_web: converged, 2 of 2 healthy");
    expect(cli.stderr).not.toContain("goes on in the background");
  });

  test("on a terminal the progress is redrawn in place, in colour", async () => {
    const { backend, cli } = await web({ isTerminal: true, hasColor: true });
    const done = cli.run("service", "scale", "shop_web=3");
    await until(() => cli.stderr.includes("converging"));
    backend.run(20_000);
    expect(await done).toBe(0);
    const shown = shownBy(cli.screen);
    expect(Bun.stripANSI(shown)).toBe(
      [
        "shop_web is scaled to 3",
        "shop_web: converged, 3 of 3 healthy: every task is healthy",
        "  shop_web.1                n1            v1  running (healthy)",
        "  shop_web.2                n1            v1  running (healthy)",
        "  shop_web.3                n1            v1  running (healthy)",
        "",
      ].join("\n"),
    );
    expect(shown).toContain("\u001b[32mconverged");
  });

  test("a failed rollout ends with the task's reason, its last output and the way out", async () => {
    const { backend, cli } = await web();
    backend.model.broken.add("web:bad");
    const done = cli.run("service", "update", "shop_web", "--image", "web:bad");
    await until(() => cli.stderr.includes("shop_web: converging"));
    for (const task of backend.model.state.task.values())
      if (task.specVersion === 2)
        backend.model.status(task.id, { state: "failed", reason: "exit code 1", lastOutput: "boom" });
    backend.run(30_000);
    expect(await done).toBe(6);
    expect(cli.stderr).toMatch(/^davit: shop_web: /m);
    expect(cli.stderr).toMatch(/ {2}- shop_web\.\d on n1: exit code 1/);
    expect(cli.stderr).toContain("davit service rollback shop_web");
  });

  test("what no node can take ends with why", async () => {
    const { backend, client } = await serve();
    backend.model.node("n1");
    const cli = new Harness({ client });
    const limits = { cpus: 0, memoryBytes: 0, pids: 0 };
    const resources = { limits, reservations: { cpus: 1_000, memoryBytes: 0, generic: {} } };
    await client.deploy(stackOf("shop", [serviceOf("shop", "web", { template: { resources } })]));
    backend.run(1_000);
    const done = cli.run("service", "scale", "shop_web=3");
    await until(() => cli.stderr.includes("unplaceable"));
    const ticking = setInterval(() => backend.run(1_000), 5);
    expect(await done).toBe(6);
    clearInterval(ticking);
    expect(cli.stderr).toMatch(/^davit: shop_web: shop_web\.\d: 1 node .*CPU/im);
    expect(cli.stderr).toContain("davit node ls shows the nodes");
  });

  test("the time limit says what was waited for and that it goes on", async () => {
    const { cli } = await web();
    const done = cli.run("service", "update", "shop_web", "--image", "web:v2", "--timeout", "30s");
    await until(() => cli.stderr.includes("shop_web: converging"));
    cli.elapse(30_000);
    expect(await done).toBe(5);
    expect(cli.stderr).toMatch(/davit: wait: not done after 30 s: shop_web: \S/);
    expect(cli.stderr).toContain("it goes on by itself");
  });

  test("Ctrl-C detaches, says that the change goes on and how to look, and ends with 130", async () => {
    const { cli, client } = await web();
    const done = cli.run("service", "update", "shop_web", "--image", "web:v2");
    await until(() => cli.stderr.includes("shop_web: converging"));
    cli.interrupt();
    expect(await done).toBe(130);
    expect(cli.stderr).toContain(
      "detached: the change goes on without this command\n  to see how far it is: davit service ps shop_web\n",
    );
    expect((await client.service("shop_web")).version).toBe(2);
  });

  test("removed services and stacks are waited for until they are gone", async () => {
    const { backend, cli } = await web();
    const done = cli.run("stack", "rm", "shop");
    await until(() => cli.stderr.includes("removing"));
    backend.run(30_000);
    expect(await done).toBe(0);
    expect(cli.stdout).toContain("  - service shop_web");
    expect(cli.stderr).toContain("shop_web: removed");
    expect([...backend.model.state.task.values()]).toEqual([]);
  });

  test("--detach returns at once", async () => {
    const { cli } = await web();
    expect(await cli.run("service", "update", "shop_web", "--force", "--detach")).toBe(0);
    expect(cli.stderr).toBe("");
  });
});

describe("a coordinator that goes away meanwhile", () => {
  const broken = new DavitError("unavailable", "the connection to the coordinator broke: reset");

  /** A client whose stream of progress breaks as often as told before it works. */
  function flaky(client: DavitClient, failures: number): DavitClient {
    let left = failures;
    return {
      ...client,
      async *progress() {
        yield [progressView("web")];
        if (left-- > 0) throw broken;
        yield [
          progressView("web", {
            done: true,
            state: "converged",
            tasks: [taskView("web.1")],
            message: "every task is healthy",
          }),
        ];
      },
      services: async () => [],
    };
  }

  async function updateWith(failures: number): Promise<{ readonly code: number; readonly cli: Harness }> {
    const { client } = await web();
    const cli = new Harness({ client: flaky(client, failures) });
    return { code: await cli.run("service", "update", "shop_web", "--force"), cli };
  }

  test("is looked for again, which is said once, and then the waiting goes on", async () => {
    const { code, cli } = await updateWith(1);
    expect(code).toBe(0);
    expect(cli.stderr.match(/trying again for 60 s/g)).toHaveLength(1);
    expect(cli.stderr.match(/the coordinator answers again/g)).toHaveLength(1);
    expect(cli.stderr).toContain("web: converged");
  });

  test("ends the command with 5 when it stays away", async () => {
    const { client } = await web();
    const gone = createClient({ kind: "socket", socketPath: "/nonexistent/davit.sock" });
    const cli = new Harness({ client: { ...client, progress: (...query) => gone.progress(...query) } });
    expect(await cli.run("service", "update", "shop_web", "--force")).toBe(5);
    expect(cli.stderr.match(/trying again/g)).toHaveLength(1);
    expect(cli.stderr).toMatch(/^davit: the coordinator does not answer at \/nonexistent/m);
  });
});
