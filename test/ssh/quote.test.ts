// Quoting for a remote shell.

import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quoteArgv, quoteWord, rootArgv } from "../../src/ssh/quote.ts";

test("a shell splits a quoted argv into the same words, whatever they hold", () => {
  const word = fc
    .oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[ '"`$\\\n!*?~#;&|<>(){}[\]=-]*$/))
    .map((text) => text.replaceAll("\0", ""));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      const result = spawnSync("/bin/sh", ["-c", quoteArgv(["printf", String.raw`%s\0`, ...words])]);
      const shown = words.length === 0 ? [""] : words;
      expect(result.stdout.toString("utf8")).toBe(
        shown.map((text) => `${Buffer.from(text).toString("utf8")}\0`).join(""),
      );
    }),
    { numRuns: 60 },
  );
});

test("plain words stay readable and others are put into single quotes", () => {
  expect(quoteArgv(["systemctl", "enable", "--now", "docker"])).toBe("systemctl enable --now docker");
  expect(quoteWord("it's")).toBe(String.raw`'it'\''s'`);
  expect(quoteWord("")).toBe("''");
});

test("sudo is told to forget a remembered password, so that it reads one exactly when one is sent", () => {
  expect(rootArgv("is-root", ["id"])).toEqual(["id"]);
  expect(rootArgv("sudo", ["id"])).toEqual(["sudo", "-k", "-n", "--", "id"]);
  expect(rootArgv("sudo-password", ["id"])).toEqual(["sudo", "-k", "-S", "-p", "", "--", "id"]);
});
