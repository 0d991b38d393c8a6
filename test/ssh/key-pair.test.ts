// Key pairs in OpenSSH's format.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { publicKeyLine } from "../../src/ssh/authentication.ts";
import { createKeyPair } from "../../src/ssh/key-pair.ts";

test("every key that is made can be read again, and gives its own public half", () => {
  for (let count = 0; count < 1_000; count++) {
    const pair = createKeyPair("davit");
    expect(publicKeyLine(pair.privateKey)).toBe(pair.publicKey.replace(/ davit$/, ""));
  }
});

test("OpenSSH reads a key that was made", () => {
  const dir = mkdtempSync(join(tmpdir(), "davit-key-"));
  const path = join(dir, "key");
  const pair = createKeyPair("a comment");
  writeFileSync(path, pair.privateKey, { mode: 0o600 });
  const result = spawnSync("/usr/bin/ssh-keygen", ["-y", "-f", path], { encoding: "utf8" });
  expect(result.stdout.trim()).toBe(pair.publicKey);
  rmSync(dir, { recursive: true });
});
