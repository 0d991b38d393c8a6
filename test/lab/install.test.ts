// The coordinator on a host of its own, as a unit of systemd, driven from another machine over SSH.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NodeView, TaskView } from "../../src/core/model/views.ts";
import { BINARY, cleanLab, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { type CommandResult, mustRun, runCommand } from "./run-command.ts";

const lab = testLab();
const home = mkdtempSync(join(tmpdir(), "davit-home-"));

beforeAll(async () => {
  await cleanLab(lab);
  await lab.up(2, "ready");
  await lab.registryUp();
  await mustRun(["scp", "-q", "-F", join(lab.directory, "ssh", "config"), BINARY, "n1:/root/davit"]);
  // what a user who logs in there with ssh has
  const hostKey = (await lab.on("n1", "cat /etc/ssh/ssh_host_ed25519_key.pub")).split(" ").slice(0, 2).join(" ");
  mkdirSync(join(home, ".ssh"), { mode: 0o700 });
  writeFileSync(join(home, ".ssh", "id_ed25519"), readFileSync(lab.identityPath), { mode: 0o600 });
  writeFileSync(join(home, ".ssh", "known_hosts"), `${lab.ip("n1")} ${hostKey}\n`);
});
afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await lab.down();
});

/** The command line of this machine's user, with the coordinator of n1. */
function davit(argv: readonly string[], stdin = ""): Promise<CommandResult> {
  const env = {
    HOME: home,
    DAVIT_HOST: `ssh://root@${lab.ip("n1")}`,
    SSH_AUTH_SOCK: undefined,
    DAVIT_DATA_DIR: undefined,
  };
  return runCommand([BINARY, ...argv], { env, stdin });
}

async function must(argv: readonly string[], stdin = ""): Promise<string> {
  const result = await davit(argv, stdin);
  if (result.exitCode !== 0) throw new Error(`davit ${argv.join(" ")}: exit code ${result.exitCode}: ${result.stderr}`);
  return result.stdout;
}

test("installed as a unit, the coordinator is driven over ssh://, joins a host with the user's key, and is back by itself after a reboot", async () => {
  expect(await lab.on("n1", "/root/davit install")).toContain("starts at boot");
  expect(await lab.on("n1", "/root/davit install && systemctl is-active davit")).toMatch(/active$/);
  await waitUntil("it answers", 15_000, async () => (await davit(["version"])).stdout.includes("coordinator"));
  await must(["node", "add", `root@${lab.ip("n2")}`, "--accept-host-key"]);
  const compose = JSON.stringify({ services: { web: { image: `${lab.registry}/web:v1`, deploy: { replicas: 2 } } } });
  await must(["deploy", "-f", "-", "--name", "far"], compose);
  const tasks = JSON.parse(await must(["stack", "ps", "far", "--json"])) as readonly TaskView[];
  expect(tasks.map((task) => [task.node, task.state])).toEqual([
    ["n2", "running"],
    ["n2", "running"],
  ]);
  const before = (await lab.containers("n2", "davit.stack=far")).map((container) => container.Id).sort();
  await lab.run("reboot", "n1");
  await lab.wait("n1");
  await waitUntil("it answers again, with its node", 30_000, async () => {
    const result = await davit(["node", "ls", "--json"]);
    return result.exitCode === 0 && (JSON.parse(result.stdout) as readonly NodeView[])[0]?.presence === "ready";
  });
  expect((await lab.containers("n2", "davit.stack=far")).map((container) => container.Id).sort()).toEqual(before);
});

test("a coordinator that is not there is said to be so, with the way out", async () => {
  const result = await runCommand([BINARY, "node", "ls"], {
    env: { HOME: home, DAVIT_HOST: `ssh://root@${lab.ip("n2")}` },
  });
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toMatch(/way out/);
});
