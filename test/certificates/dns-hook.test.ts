// The user's program for records of the DNS, run for real: it works, or says why not, and nothing waits for one that hangs.

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDnsHook } from "../../src/certificates/dns-hook.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "davit-hook-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function hookOf(script: string): Promise<string> {
  const path = join(folder, "hook");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o700);
  return path;
}

test("a program that ends with 0 has done it", async () => {
  const hook = createDnsHook(await hookOf(`echo "$@" > ${folder}/asked`));
  await hook("present", "_acme-challenge.shop.example", "proof");
  expect(await Bun.file(join(folder, "asked")).text()).toBe("present _acme-challenge.shop.example proof\n");
});

test.each([
  ["fails", "echo no such zone >&2; exit 4", "exit code 4: no such zone"],
  ["is ended by a signal", "kill -TERM $$", "ended by SIGTERM: "],
  ["hangs in a program of its own", "echo asked; sleep 10", "no end within 1 s: asked"],
  ["has left one behind that keeps its output", "sleep 10 & echo asked", "no end within 1 s: asked"],
])("one that %s is told of with what it said", async (_, script, reason) => {
  const path = await hookOf(script);
  await expect(createDnsHook(path, 1_000)("cleanup", "shop.example", "proof")).rejects.toMatchObject({
    code: "unavailable",
    message: `prove shop.example by DNS: ${path} cleanup: ${reason}`,
  });
});
