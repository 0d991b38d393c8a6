// Completion of words in a shell.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serve } from "../api/serving.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { Harness } from "./harness.ts";

async function offered(cli: Harness, ...typed: string[]): Promise<readonly string[]> {
  cli.stdout = "";
  expect(await cli.run("__complete", "--", ...typed)).toBe(0);
  expect(cli.stderr).toBe("");
  return cli.stdout.split("\n").filter((line) => line !== "");
}

describe("what a shell offers", () => {
  test("commands, verbs, flags and the values of flags", async () => {
    const cli = new Harness();
    expect(await offered(cli, "")).toEqual(expect.arrayContaining(["up", "deploy", "node", "service", "completion"]));
    expect(await offered(cli, "no")).toEqual(["node"]);
    expect(await offered(cli, "node", "co")).toEqual(["confirm-dead"]);
    expect(await offered(cli, "deploy", "--d")).toEqual(expect.arrayContaining(["--detach", "--dry-run"]));
    expect(await offered(cli, "token", "create", "--role", "d")).toEqual(["deployer"]);
    expect(await offered(cli, "completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]));
    expect(await offered(cli, "--host", "/run/x.sock", "node", "l")).toEqual(["ls", "label"]);
  });

  test("names of nodes, services and stacks, asked of the coordinator", async () => {
    const { backend, client } = await serve();
    backend.model.node("n1");
    await client.deploy(stackOf("shop", [serviceOf("shop", "web"), serviceOf("shop", "api")]));
    const cli = new Harness({ client, passes: () => false });
    expect(await offered(cli, "node", "drain", "")).toContain("n1");
    expect(await offered(cli, "service", "logs", "shop_w")).toEqual(["shop_web"]);
    expect(await offered(cli, "service", "scale", "shop_web=2", "shop_a")).toEqual(["shop_api="]);
    expect(await offered(cli, "stack", "rm", "s")).toEqual(["shop"]);
  });

  test("nothing, without a word of complaint, where there is nothing to offer", async () => {
    const cli = new Harness();
    expect(await offered(cli, "nonsense", "")).toEqual([]);
    expect(await offered(cli, "node", "drain", "n")).toEqual([]);
    expect(await offered(cli, "--host")).toEqual([]);
  });
});

describe("scripts", () => {
  test("are there for three shells and no other", async () => {
    const cli = new Harness();
    for (const shell of ["bash", "zsh", "fish"]) {
      cli.stdout = "";
      expect(await cli.run("completion", shell)).toBe(0);
      expect(cli.stdout).toContain("davit __complete -- ");
    }
    expect(await cli.run("completion", "tcsh")).toBe(2);
    expect(cli.stderr).toContain("there is a script for bash, zsh, fish");
  });

  test("bash completes with them what is typed so far", async () => {
    const cli = new Harness();
    await cli.run("completion", "bash");
    const folder = mkdtempSync(join(tmpdir(), "davit-completion-"));
    writeFileSync(join(folder, "davit.bash"), cli.stdout);
    // stands for davit: shows which words it was asked about, then offers some
    writeFileSync(
      join(folder, "davit"),
      `#!/bin/sh\nprintf '%s|' "$@" >> ${folder}/asked\nprintf 'logs\\nls\\nscale\\n'\n`,
      { mode: 0o755 },
    );
    const script = `. ${folder}/davit.bash; COMP_WORDS=(davit service l); COMP_CWORD=2; _davit; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const shown = Bun.spawnSync(["bash", "--norc", "-c", script], { env: { PATH: `${folder}:/usr/bin:/bin` } });
    expect(shown.stderr.toString()).toBe("");
    expect(shown.stdout.toString()).toBe("logs\nls\n");
    expect(await Bun.file(join(folder, "asked")).text()).toBe("__complete|--|service|l|");
  });
});
