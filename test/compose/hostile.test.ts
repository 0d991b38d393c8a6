// Files that nobody means well with, or that broke on the way: bounded time and memory, a clear problem, never a crash.
// FUZZ=100000 makes as many inputs as it says; npm test makes FEW.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { array, assert as check, constantFrom, integer, property, string as anyString, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { readDiskFile } from "../../src/cli/compose-disk.ts";
import { type Options, load, problems } from "./harness.ts";

const FEW = 5_000;
const RUNS = Number(process.env["FUZZ"] ?? FEW);

const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${["b", "c", "d", "e", "f", "g"].map((name, at) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${"abcdef"[at]}`).join(",")}]`).join("\n")}\nservices: {}`;
const many = (count: number): string =>
  `services: {${Array.from({ length: count }, (_, at) => `s${at}: {image: x}`).join(",")}}`;

/** What takes longer is not bounded; the machine may be busy with other tests. */
const PATIENCE_MS = 60_000;
/** For as many inputs as were asked for, ten times what they take. */
const FUZZ_MS = Math.max(PATIENCE_MS, 10 * RUNS);

describe("one file", () => {
  test.each([
    ["an alias bomb", bomb, "when its aliases are followed"],
    ["an anchor around itself", "services: &a\n  web: *a\n", "stands inside its own anchor"],
    ["an alias to nothing", "services: *nowhere\n", "nowhere"],
    [
      "fifty thousand faults",
      `services: {web: {image: x, ${Array.from({ length: 50_000 }, (_, at) => `k${at}: x`).join(",")}}}`,
      "49500 more",
    ],
    ["a tab", "services:\n\tweb: {image: a}\n", "tab"],
    ["a key twice", "services:\n  web: {image: a}\n  web: {image: b}\n", "stands twice"],
    ["a NUL byte", "services:\0", "NUL byte"],
    ["ten megabytes", `services: {}\n#${"x".repeat(10_000_000)}`, "larger than 2 MiB"],
    ["100,000 services", many(100_000), "more than"],
    ["600 services", many(600), "600 services are more than 500"],
    ["deep nesting", "[".repeat(10_000), "compose.yaml:1"],
    ["deep nesting that is closed", `services: ${"[".repeat(1_000)}${"]".repeat(1_000)}`, "nests deeper"],
    ["all ports there are", 'services: {web: {image: x, ports: ["1-65535:1-65535"]}}', "more than 1000 ports"],
    [
      "all ports of many services",
      `services: {${Array.from({ length: 500 }, (_, at) => `s${at}: {image: x, ports: ["1-65535:1-65535", "1-65535:1-65535/udp"]}`).join(",")}}`,
      "more than 1000 ports",
    ],
    ["several documents", "services: {}\n---\nservices: {}\n", "several documents"],
    ["nothing", "", "is empty"],
    ["a comment", "# nothing\n", "is empty"],
    ["a list", "- a\n", "is a mapping"],
    ["a text", "hello", "is a mapping"],
    ["no services", "services: {}\n", "no services"],
    ["services that are a list", "services: [web]\n", "wants a mapping"],
    ["a key that is a list", "services: {web: {image: x, ? [a] : b}}\n", "plain text"],
    ["a merge of a text", "services: {web: {<<: x, image: y}}\n", "<<"],
    ["a name with a slash", "services: {a/b: {image: x}}\n", "letters, digits"],
    ["a name of a prototype", "services: {web: {image: x, constructor: y, toString: z}}\n", "is not a key here"],
    ["an unknown tag", "services: {web: {image: !!binary x}}\n", "tag !!binary is not known"],
    ["a variable that grows", `services: {web: {image: x, command: "${"$A".repeat(2_000)}"}}`, "1 MiB"],
    [
      "variables that grow together",
      `services: {web: {image: x, command: [${Array.from({ length: 100 }, () => `"${"$A".repeat(100)}"`).join(",")}]}}`,
      "8 MiB",
    ],
    ["nested variables without an end", `services: {web: {image: "${"${A:-".repeat(10_000)}"}}`, "closing brace"],
  ])("%s is answered with a problem", { timeout: PATIENCE_MS }, (_what, text, said) => {
    const loaded = load(text, { environment: { A: "x".repeat(1_000) } });
    expect(loaded.stack).toBeUndefined();
    expect(problems(loaded).join("\n")).toContain(said);
    expect(problems(loaded).join("\n").length).toBeLessThan(200_000);
  });
});

describe("several files", () => {
  const cases: readonly (readonly [string, string, Options["files"], string])[] = [
    [
      "an include of itself",
      "include: [compose.yaml]\nservices: {a: {image: x}}",
      { "compose.yaml": "include: [compose.yaml]" },
      "includes itself",
    ],
    [
      "a circle of includes",
      "include: [a.yaml]",
      { "a.yaml": "include: [b.yaml]", "b.yaml": "include: [a.yaml]" },
      "includes itself",
    ],
    ["a circle of services that extend each other", "services: {a: {extends: b}, b: {extends: a}}", {}, "never ends"],
    [
      "a circle over files",
      "services: {a: {extends: {file: o.yaml, service: b}}}",
      {
        "o.yaml": "services: {b: {extends: {file: o2.yaml, service: c}}}",
        "o2.yaml": "services: {c: {extends: {file: o.yaml, service: b}}}",
      },
      "never ends",
    ],
    [
      "a long chain of services",
      `services: {${Array.from({ length: 400 }, (_, at) => `s${at}: {extends: s${at + 1}}`).join(",")}, s400: {image: x}}`,
      {},
      "chain of more than",
    ],
    [
      "a large service that many extend",
      `services: {base: {image: x, environment: {${Array.from({ length: 5_000 }, (_, at) => `A${at}: x`).join(",")}}}, ${Array.from({ length: 300 }, (_, at) => `s${at}: {extends: base}`).join(",")}}`,
      {},
      "values when its files are put together",
    ],
    [
      "an included file that is no text",
      "include: [a.yaml]\nservices: {a: {image: x}}",
      { "a.yaml": new Uint8Array([0xff, 0xfe, 0x00]) },
      "is not valid UTF-8",
    ],
    [
      "an env file that grows by its own values",
      "services: {a: {image: x, env_file: a.env}}",
      {
        "a.env": ["A0=xxxxxxxxxx", ...Array.from({ length: 12 }, (_, at) => `A${at + 1}=${`$A${at}`.repeat(10)}`)].join(
          "\n",
        ),
      },
      "1 MiB",
    ],
    [
      "an included remote",
      'include: ["git@example.org:a/b.git", "oci://example.org/a", "https://example.org/c.yaml"]\nservices: {a: {image: x}}',
      {},
      "is remote",
    ],
    [
      "an env file that is large for each of many services",
      `services: {${Array.from({ length: 500 }, (_, at) => `s${at}: {image: x, env_file: big.env}`).join(",")}}`,
      { "big.env": "A=x\n".repeat(250_000) },
      "larger than 16 MiB together",
    ],
    ["a directory as an env file", "services: {a: {image: x, env_file: dir}}", { "dir/file": "x" }, "is a directory"],
    [
      "a huge config",
      "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {file: big}}",
      { big: "x".repeat(600_000) },
      "larger than 500 KiB",
    ],
    [
      "configs that are huge together",
      `services: {a: {image: x, configs: [${Array.from({ length: 20 }, (_, at) => `c${at}`).join(",")}]}}\nconfigs: {${Array.from({ length: 20 }, (_, at) => `c${at}: {file: f${at}}`).join(",")}}`,
      Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, `${at}${"x".repeat(500_000)}`])),
      "larger than 8 MiB together",
    ],
  ];
  test.each(cases)("%s is answered with a problem", (_what, text, files, said) => {
    const loaded = load(text, files === undefined ? {} : { files });
    expect(loaded.stack).toBeUndefined();
    expect(problems(loaded).join("\n")).toContain(said);
  });

  test("hundreds of files that include each other in a tree are read or refused in bounded time", () => {
    const files: Record<string, string> = {};
    for (let at = 1; at < 1_100; at++)
      files[`f${at}.yaml`] = `include: [f${2 * at}.yaml, f${2 * at + 1}.yaml]\nservices: {s${at}: {image: x}}`;
    expect(problems(load("include: [f1.yaml]", { files })).length).toBeGreaterThan(0);
  });
});

test("what is no regular file is not waited for", () => {
  expect(readDiskFile("/dev/zero").kind).toBe("failed");
  expect(readDiskFile("/proc").kind).toBe("directory");
  expect(readDiskFile(`${import.meta.filename}/x`).kind).toBe("missing");
});

describe("whatever the text", () => {
  const fixtures = join(import.meta.dirname, "fixtures", "keys");
  const texts = readdirSync(fixtures)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => readFileSync(join(fixtures, name), "utf8"));
  const files = { "site.conf": "x", "web.env": "A=1\nB='", "base.yaml": texts[0] ?? "", folder: "x" };
  const piece = constantFrom(
    ..."services: web: image: - { } [ ] ports: *a &a << !reset !override ${A } ${A:-$ deploy: x-davit: ' \" | ? : healthcheck: volumes: a:/b environment: A=1 extends: include: base.yaml configs: file: null ~ 0x 1e9 -1 .. / # , \\".split(
      " ",
    ),
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    " ",
    "\u0000",
    "\uFEFF",
    "é",
    "\u{1F600}",
  );

  test("pieces of YAML in any order are answered with a stack or with problems", { timeout: FUZZ_MS }, () => {
    const isAnswered = property(array(tuple(piece, anyString({ maxLength: 3 })), { maxLength: 40 }), (pieces) =>
      answers(pieces.flat().join("")),
    );
    expect(() => check(isAnswered, { numRuns: RUNS / 2 })).not.toThrow();
  });

  test(
    "real files with parts cut, doubled, swapped or replaced are answered with a stack or with problems",
    { timeout: FUZZ_MS },
    () => {
      const edit = tuple(
        constantFrom("cut", "double", "insert", "swap"),
        integer({ min: 0, max: 2_000 }),
        integer({ min: 0, max: 60 }),
        piece,
      );
      const isAnswered = property(constantFrom(...texts), array(edit, { minLength: 1, maxLength: 4 }), (text, edits) =>
        answers(edits.reduce(edited, text)),
      );
      expect(() => check(isAnswered, { numRuns: RUNS / 2 })).not.toThrow();
    },
  );

  function edited(text: string, [kind, from, length, insert]: readonly [string, number, number, string]): string {
    const at = from % (text.length + 1);
    const part = text.slice(at, at + length);
    switch (kind) {
      case "cut":
        return text.slice(0, at) + text.slice(at + length);
      case "double":
        return text.slice(0, at) + part + text.slice(at);
      case "insert":
        return text.slice(0, at) + insert + text.slice(at);
      default:
        return text.slice(at) + text.slice(0, at);
    }
  }

  function answers(text: string): boolean {
    const loaded = load([text], { files: { ...files, "compose.yaml": text }, environment: { A: "1" } });
    const isWhole = loaded.problems.every(({ at, message }) => at.line >= 1 && at.column >= 1 && message !== "");
    return isWhole && (loaded.stack === undefined) === loaded.problems.length > 0;
  }
});
