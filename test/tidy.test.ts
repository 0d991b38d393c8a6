// The house checks itself: walls, style, titles, the table of faults, what is in the repository. Each wall has a planted violation, made
// in a folder of its own, that must be caught by tidy, and by oxlint where oxlint holds the wall too.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isCode, ROOT, sources } from "./tidy/sources.ts";
import { styleFaults } from "./tidy/style.ts";
import { faultRows, faultTableFaults, titleFault, titlesIn } from "./tidy/titles.ts";
import { breaches, WALLS } from "./tidy/walls.ts";

const HEADER = "// A planted file.\n";
const code = sources(isCode);

/** Where a planted file of a room lies, and how it would import a file of another room. */
function plantedIn(room: string): string {
  if (room === "main") return "src/main.ts";
  return room.startsWith("workers/") ? `${room}/planted.ts` : `src/${room}/planted.ts`;
}
function importOf(from: string, room: string): string {
  const up = "../".repeat(from.split("/").length - 1);
  const target = plantedIn(room).replace("planted", room === "auth" ? "signer" : "open");
  return `import { value } from "${up}${target}";\nexport const used = value;\n`;
}

const rooms = Object.keys(WALLS);
const forbidden = rooms
  .filter((room) => room !== "main")
  .flatMap((room) =>
    rooms
      .filter((other) => other !== room && !(WALLS[room] ?? []).includes(other))
      .map((other) => [room, other] as const),
  );

describe("walls", () => {
  test("every import goes downwards", () => {
    expect(code.flatMap(breaches)).toEqual([]);
  });

  test.each(forbidden)("a planted import of %s → %s is caught", (room, other) => {
    const path = plantedIn(room);
    expect(breaches({ path, text: HEADER + importOf(path, other) })).toHaveLength(1);
  });

  test("a planted package in core is caught", () => {
    const text = `${HEADER}import { readFileSync } from "node:fs";\nimport { z } from "zod";\n`;
    expect(breaches({ path: "src/core/planted.ts", text })).toHaveLength(2);
    expect(breaches({ path: "src/core/model/planted.ts", text })).toHaveLength(2);
  });

  test("an adapter constructed outside of the composition roots is caught", () => {
    const system = `${HEADER}import { createSystemClock } from "../system/clock.ts";\n`;
    const store = `${HEADER}import { openStore } from "../store/open.ts";\n`;
    expect(breaches({ path: "src/coordinator/planted.ts", text: system })).toHaveLength(1);
    expect(breaches({ path: "src/coordinator/planted.ts", text: store })).toHaveLength(1);
    expect(breaches({ path: "src/coordinator/main.ts", text: system + store })).toEqual([]);
  });

  test("the agent's use of the issuer's signer is caught", () => {
    const text = `${HEADER}import { createSigner } from "../../src/auth/signer.ts";\n`;
    expect(breaches({ path: "workers/agent/planted.ts", text })).toHaveLength(1);
  });

  test("a room that is not on the plan is caught", () => {
    expect(breaches({ path: "src/helpers/planted.ts", text: HEADER })).toHaveLength(1);
  });
});

describe("oxlint", () => {
  const folder = mkdtempSync(join(tmpdir(), "davit-tidy-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Lints planted files under the project's own rules; returns what was found as "path rule". */
  function lint(planted: Readonly<Record<string, string>>): readonly string[] {
    for (const file of [".oxlintrc.json", "tsconfig.json", "package.json"])
      cpSync(join(ROOT, file), join(folder, file));
    rmSync(join(folder, "node_modules"), { force: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const [path, text] of Object.entries(planted)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), HEADER + text);
    }
    const argv = ["--format", "json", ...Object.keys(planted)];
    const result = spawnSync(join(ROOT, "node_modules", ".bin", "oxlint"), argv, { cwd: folder, encoding: "utf8" });
    const report = JSON.parse(result.stdout) as {
      readonly diagnostics: readonly { readonly code?: string; readonly filename: string }[];
    };
    return report.diagnostics.map(({ code: rule = "", filename }) => `${filename} ${rule}`);
  }

  test("every wall that oxlint holds catches a planted import", () => {
    const held = forbidden.filter(
      ([room, other]) => other !== "main" && room !== "main" && !isHeldByTidyOnly(room, other),
    );
    const planted: Record<string, string> = {};
    for (const [room, other] of held) {
      const path = plantedIn(room).replace("planted", `planted-${other.replaceAll("/", "-")}`);
      planted[path] = importOf(path, other);
    }
    const found = lint(planted);
    const missed = Object.keys(planted).filter((path) => !found.includes(`${path} eslint(no-restricted-imports)`));
    expect(missed).toEqual([]);
  });

  test.each([
    [
      "a package in core",
      "src/core/a.ts",
      'import { z } from "zod";\nexport const a = z;\n',
      "eslint(no-restricted-imports)",
    ],
    [
      "a clock in core",
      "src/core/b.ts",
      "export const b = (): number => Date.now();\n",
      "eslint(no-restricted-globals)",
    ],
    [
      "a floating promise",
      "src/api/c.ts",
      "async function c(): Promise<void> {}\nexport function d(): void {\n  c();\n}\n",
      "typescript(no-floating-promises)",
    ],
    [
      "a switch that misses a member",
      "src/api/d.ts",
      'export function d(x: "a" | "b"): void {\n  switch (x) {\n    case "a":\n      return;\n  }\n}\n',
      "typescript(switch-exhaustiveness-check)",
    ],
    ["any", "src/api/e.ts", "export const e: any = 1;\n", "typescript(no-explicit-any)"],
    [
      "a non-null assertion",
      "src/api/f.ts",
      "export const f = (x: string | undefined): string => x!;\n",
      "typescript(no-non-null-assertion)",
    ],
    ["a default export", "src/api/g.ts", "export default 1;\n", "import(no-default-export)"],
    [
      "a function of 61 lines",
      "src/api/h.ts",
      `export function h(): number {\n  let sum = 0;\n${"  sum += 1;\n".repeat(60)}  return sum;\n}\n`,
      "eslint(max-lines-per-function)",
    ],
    ["a file of 401 lines", "src/api/i.ts", "export {};\n".repeat(401), "eslint(max-lines)"],
  ])("a planted violation, %s, is caught", (_, path, text, rule) => {
    expect(lint({ [path]: text })).toContain(`${path} ${rule}`);
  });

  test("a planted cycle of imports is caught", () => {
    const found = lint({
      "src/api/one.ts": 'import { two } from "./two.ts";\nexport const one = (): unknown => two;\n',
      "src/api/two.ts": 'import { one } from "./one.ts";\nexport const two = (): unknown => one;\n',
    });
    expect(found).toContain("src/api/one.ts import(no-cycle)");
  });
});

/** Walls that are finer than a pattern of oxlint's: between rooms of one folder, and what only some files may import. */
function isHeldByTidyOnly(room: string, other: string): boolean {
  return (
    other === "system" ||
    (room === "coordinator" && other.startsWith("workers")) ||
    (room === "core/model" && other === "core")
  );
}

describe("style", () => {
  test("every file follows the house's style", () => {
    expect(sources().flatMap(styleFaults)).toEqual([]);
  });

  test.each([
    ["no header", "src/api/planted.ts", "export const a = 1;\n"],
    ["too many lines", "src/api/planted.ts", HEADER.repeat(2) + "\n".repeat(400)],
    ["a camelCase name", "src/api/plantedFile.ts", HEADER],
    ["something left to do", "src/api/planted.ts", `${HEADER}// TODO: more\n`],
    ["an enum", "src/api/planted.ts", `${HEADER}export enum Kind {}\n`],
    ["any in a signature", "src/api/planted.ts", `${HEADER}export function f(x: any): void {}\n`],
    ["a default export", "src/api/planted.ts", `${HEADER}export default 1;\n`],
    ["an import without its ending", "src/api/planted.ts", `${HEADER}import { a } from "./a";\n`],
    ["a clock in core", "src/core/planted.ts", `${HEADER}const a = Date.now();\n`],
    ["the process in core", "src/core/planted.ts", `${HEADER}const a = process.env;\n`],
    ["a timer in a control loop", "src/coordinator/planted.ts", `${HEADER}setTimeout(() => 1, 1);\n`],
    ["chance in the agent's plan", "workers/agent/plan/planted.ts", `${HEADER}const a = Math.random();\n`],
    ["a skipped test", "test/api/planted.test.ts", `${HEADER}test.skip("a b c", () => 1);\n`],
    ["a path of a workplace", "docs/planted.md", "see /workspace/davit/readme\n"],
  ])("%s is caught", (_, path, text) => {
    expect(styleFaults({ path, text })).not.toEqual([]);
  });
});

describe("tests", () => {
  const titles = sources((path) => path.endsWith(".test.ts")).flatMap(titlesIn);

  test("every title is a sentence about behaviour", () => {
    const faults = titles.flatMap(({ path, title }) => {
      const fault = titleFault(title);
      return fault === undefined ? [] : [`${path}: "${title}": ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  test("every fault in docs/testing.md has a test that runs", () => {
    const rows = faultRows(readFileSync(join(ROOT, "docs", "testing.md"), "utf8"));
    expect(rows.length).toBeGreaterThan(30);
    expect(faultTableFaults(rows, titles)).toEqual([]);
  });

  test("a row without its test, and one whose test is skipped, are caught", () => {
    const rows = [
      { fault: "fire", titles: ["no such test"] },
      { fault: "water", titles: ["a skipped one"] },
    ];
    const planted = titlesIn({ path: "a.test.ts", text: 'test.skip("a skipped one", () => 1);' });
    expect(faultTableFaults(rows, planted)).toHaveLength(2);
  });
});

describe("the repository", () => {
  test("the lockfile holds no download address", () => {
    expect(readFileSync(join(ROOT, "package-lock.json"), "utf8")).not.toMatch(/"resolved"|https?:\/\/[^"]*\.tgz/);
  });

  test("every dependency is pinned, and docs/dependencies.md says why it is there", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>;
      readonly devDependencies: Readonly<Record<string, string>>;
    };
    const reasons = readFileSync(join(ROOT, "docs", "dependencies.md"), "utf8");
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(reasons, name).toContain(`\`${name}\``);
    }
  });
});
