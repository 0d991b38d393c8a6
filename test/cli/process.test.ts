// The command line as a process of its own: what pipes, missing terminals and signals do to it.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const SERVICES = 490;

function folderWithLargeFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "davit-process-"));
  const services = Array.from({ length: SERVICES }, (_, at) => `  service-${at}: {image: "web:v1"}\n`);
  writeFileSync(join(folder, "compose.yaml"), `name: large\nservices:\n${services.join("")}`);
  return folder;
}

function shell(script: string, cwd: string, env: Readonly<Record<string, string>> = {}) {
  const { PATH = "" } = process.env;
  const child = Bun.spawnSync(["bash", "-o", "pipefail", "-c", script], {
    cwd,
    stdin: "ignore",
    env: { PATH, HOME: cwd, DAVIT: `${process.execPath} ${MAIN}`, ...env },
  });
  return { code: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
}

test("a slow reader of a pipe gets all of a large output", () => {
  const { code, stdout } = shell("$DAVIT stack config --json | (sleep 0.3; cat)", folderWithLargeFile());
  expect(code).toBe(0);
  expect(
    (JSON.parse(stdout) as { readonly stack: { readonly services: readonly unknown[] } }).stack.services,
  ).toHaveLength(SERVICES);
});

test("a reader that goes away ends the command quietly", () => {
  const { code, stdout, stderr } = shell("$DAVIT stack config --json | head -1", folderWithLargeFile());
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "{\n", stderr: "" });
});

test("without a terminal there are no colours, no questions and nothing that hangs", () => {
  const cwd = mkdtempSync(join(tmpdir(), "davit-process-"));
  const { code, stdout, stderr } = shell("$DAVIT registry login registry.test", cwd);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^davit: log in to registry\.test: no user name was given\n {2}way out: .*\n$/);
  expect(stderr).not.toContain("\u001b");
});

test("a coordinator's address in DAVIT_HOST that is none ends with 2, and an absent coordinator with 5", () => {
  const cwd = mkdtempSync(join(tmpdir(), "davit-process-"));
  expect(shell("$DAVIT node ls", cwd, { DAVIT_HOST: "nonsense" })).toMatchObject({ code: 2 });
  const absent = shell("$DAVIT node ls", cwd);
  expect(absent.code).toBe(5);
  expect(absent.stderr).toContain(`the coordinator does not answer at ${cwd}/.local/share/davit/davit.sock`);
  expect(shell("$DAVIT node ls", cwd, { DAVIT_HOST: "http://127.0.0.1:1" }).stderr).toContain("set DAVIT_TOKEN");
});
