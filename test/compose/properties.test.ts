// What holds for every file: merging with nothing, texts without variables, order and form of what is written, printing and loading again.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { array, assert as check, constantFrom, property, record, string as anyString, uniqueArray } from "fast-check";
import { describe, expect, test } from "vitest";
import { renderCompose, renderExplained } from "../../src/compose/render.ts";
import { interpolateText } from "../../src/compose/tree/interpolate.ts";
import { isSame } from "../../src/core/commands/same.ts";
import { specHashes } from "../../src/core/model/spec-hash.ts";
import { load, problems, services, sha256 } from "./harness.ts";

const FIXTURES = join(import.meta.dirname, "fixtures", "keys");
const FILES = {
  "site.conf": "x",
  "start.sh": "y",
  "web.env": "A=1",
  "more.env": "B=2",
  "raw.env": "R=1",
  "web.labels": "a=1",
  "more.labels": "b=1",
};
const OPTIONS = {
  files: { ...FILES, "base.yaml": "services: {common: {image: b}}" },
  environment: { SETTING: "s", PORT: "1" },
};
/** Fixtures without faults: each is a real file of a few services. */
const texts = readdirSync(FIXTURES)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => ({ name, text: readFileSync(join(FIXTURES, name), "utf8") }))
  .filter(({ text }) => load(text, OPTIONS).stack !== undefined);

/** Services of all sorts, as plain values. */
const service = record(
  {
    image: constantFrom(
      "nginx",
      "app:1",
      "registry.example.org/team/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    command: array(constantFrom("a", "b c", "$$x", "'", '"'), { maxLength: 3 }),
    environment: record(
      { A: constantFrom("", "1", "a b", "x: y", "#"), B: constantFrom("1", "true", "012") },
      { requiredKeys: [] },
    ),
    labels: record({ a: anyString({ maxLength: 5 }).map((text) => text.replaceAll("$", "")) }, { requiredKeys: [] }),
    cap_add: uniqueArray(constantFrom("NET_ADMIN", "SYS_TIME", "ALL"), { maxLength: 3 }),
    ports: uniqueArray(constantFrom("80:80", "81", "9000-9009:80", "127.0.0.1:53:53/udp"), { maxLength: 3 }),
    mem_limit: constantFrom("64m", "1g"),
    read_only: constantFrom(true, false),
    tmpfs: uniqueArray(constantFrom("/run", "/tmp:size=1m"), { maxLength: 2 }),
    restart: constantFrom("always", "no", "on-failure:3"),
  },
  { requiredKeys: ["image"] },
);

function composeOf(declared: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ services: declared });
}

describe("merging", () => {
  test("with an empty file changes nothing", () => {
    expect(texts.length).toBeGreaterThan(30);
    for (const { name, text } of texts)
      for (const empty of ["", "services: {}\n", "services:\n", "volumes: {}\n"])
        expect(load([text, empty], OPTIONS).stack, name).toEqual(load(text, OPTIONS).stack);
  });

  test("a file with itself gives a stack with the same commands, environments and mounts", () => {
    for (const { name, text } of texts) {
      const [once, twice] = [load(text, OPTIONS), load([text, text], OPTIONS)];
      if (/^(post_start|pre_stop|deploy-resources|gpus)/.test(name)) continue;
      expect(twice.stack, name).toEqual(once.stack);
    }
  });

  test("is the same in two steps: (a, b, c) is what (a, b) printed and c give", () => {
    const isTurned = property(service, service, service, (a, b, c) => {
      const [x, y, z] = [a, b, c].map((one) => composeOf({ web: one }));
      if (x === undefined || y === undefined || z === undefined) return false;
      const two = load([x, y]);
      if (two.merged === undefined) return two.problems.length > 0;
      return isEqual(load([renderCompose(two.merged, "shop"), z]).stack, load([x, y, z]).stack);
    });
    expect(() => check(isTurned, { numRuns: 300 })).not.toThrow();
  });
});

describe("variables", () => {
  test("a text without a dollar stays as it is", () => {
    const isKept = property(
      anyString(),
      (text) => text.includes("$") || interpolateText(text, { x: "y" }).text === text,
    );
    expect(() => check(isKept)).not.toThrow();
  });

  test("a doubled dollar is a dollar, whatever stands around it", () => {
    const isDollar = property(anyString(), (text) => interpolateText(text.replaceAll("$", "$$$$"), {}).text === text);
    expect(() => check(isDollar)).not.toThrow();
  });
});

describe("identity", () => {
  test("the order of keys and of what has no order does not matter", () => {
    const isTurned = property(service, (one) => {
      const turned = Object.fromEntries(
        Object.entries(one)
          .toReversed()
          .map(([key, value]) => [
            key,
            ["cap_add", "ports", "tmpfs"].includes(key) && Array.isArray(value) ? value.toReversed() : value,
          ]),
      );
      return isEqual(load(composeOf({ web: one })).stack, load(composeOf({ web: turned })).stack);
    });
    expect(() => check(isTurned, { numRuns: 300 })).not.toThrow();
  });

  test("short and long syntax, lists and mappings, numbers and texts that mean the same have one hash", () => {
    const short =
      'services: {web: {image: x, ports: ["8080:80"], environment: ["A=1"], labels: [a=1], cap_add: [B, A], mem_limit: 1g, volumes: ["d:/d:ro"], stop_grace_period: 90s}}\nvolumes: {d: }';
    const long =
      "services: {web: {stop_grace_period: 1m30s, volumes: [{type: volume, source: d, target: /d, read_only: true}], mem_limit: 1073741824, cap_add: [A, B], labels: {a: 1}, environment: {A: 1}, ports: [{target: 80, published: 8080}], image: x}}\nvolumes: {d: {}}";
    const hash = (text: string): string => sha256(new TextEncoder().encode(text));
    const hashes = [short, long].map((text) => {
      const { web } = services(load(text));
      return web === undefined ? undefined : specHashes(web, hash);
    });
    expect(hashes[0]).toEqual(hashes[1]);
  });

  test("a file in another place of the project is another name for the same contents", () => {
    const at = (file: string) =>
      services(
        load(`services: {web: {image: x, configs: [a]}}\nconfigs: {a: {file: ${file}}}`, { files: { [file]: "same" } }),
      );
    expect(at("a.conf")).toEqual(at("b/a.conf"));
  });
});

describe("printing", () => {
  test("what is printed loads to the same stack", () => {
    for (const { name, text } of texts) {
      const first = load(text, OPTIONS);
      if (first.merged === undefined) throw new Error(name);
      const again = load(renderCompose(first.merged, first.stack?.name ?? ""), OPTIONS);
      expect(problems(again), name).toEqual([]);
      expect(again.stack, name).toEqual(first.stack);
    }
  });

  test("what is printed with its origins loads to the same stack", () => {
    for (const { name, text } of texts) {
      const first = load(text, OPTIONS);
      if (first.merged === undefined) throw new Error(name);
      expect(load(renderExplained(first.merged, first.stack?.name ?? ""), OPTIONS).stack, name).toEqual(first.stack);
    }
  });

  test("printing again changes nothing", () => {
    for (const { name, text } of texts) {
      const { merged } = load(text, OPTIONS);
      const printed = merged === undefined ? "" : renderCompose(merged, "shop");
      const again = load(printed, OPTIONS).merged;
      expect(again === undefined ? "" : renderCompose(again, "shop"), name).toBe(printed);
    }
  });

  test("the example of the project loads without a warning, and so does what is printed of it", () => {
    const text = readFileSync(join(import.meta.dirname, "../../examples/shop/compose.yaml"), "utf8");
    const first = load(text, { environment: { STORE_NODE: "n2" } });
    expect([...first.problems, ...first.warnings]).toEqual([]);
    if (first.merged === undefined) throw new Error("nothing read");
    expect(load(renderCompose(first.merged, "shop")).stack).toEqual(first.stack);
  });

  test("each value says its file and line, how it was written, and where its variables came from", () => {
    const loaded = load(
      ["services:\n  web:\n    image: app:${TAG:-v1}\n    user: $NOBODY\n", "services: {web: {hostname: $HOST}}"],
      {
        environment: { HOST: "h" },
      },
    );
    if (loaded.merged === undefined) throw new Error("nothing read");
    const lines = renderExplained(loaded.merged, "shop").split("\n");
    expect(lines).toContain("    image: app:v1 # compose.yaml:3 app:${TAG:-v1} (TAG not set)");
    expect(lines).toContain("    hostname: h # more-1.yaml:1 $HOST (HOST from the shell)");
  });
});

function isEqual(a: unknown, b: unknown): boolean {
  return a !== undefined && isSame(a, b);
}
