// A fixture per key of the specification: what davit makes of it, or says of it, kept beside it as a golden file. `vitest -u` writes the
// golden files anew; the difference is then to be read.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KEYS } from "../../src/compose/keys/table.ts";
import type { ComposeNode } from "../../src/compose/tree/node.ts";
import { parseFile } from "../../src/compose/tree/parse.ts";
import { differenceOf } from "./golden.ts";
import { load, problems, warnings, web } from "./harness.ts";

const FIXTURES = join(import.meta.dirname, "fixtures", "keys");
/** What the fixtures' files name. */
const FILES = {
  "site.conf": "listen 80;\n",
  "start.sh": "executable:#!/bin/sh\nexec serve\n",
  "folder/file": "x",
  "password.txt": "x",
  "web.env": "A=one\nB=${A} two\n",
  "more.env": "B=more\nC='$A'\n",
  "raw.env": "A=raw\nR='$A' # as it stands\n",
  "web.labels": "team=file\ntier=front\n",
  "more.labels": "tier=back\n",
  "base.yaml":
    "services:\n  common:\n    image: base\n    volumes: ['./site.conf:/etc/site.conf:ro']\n    env_file: web.env\n",
};
const ENVIRONMENT = { SETTING: "from the shell", FROM_SHELL: "yes", HOME: "/home/user" };

const names = readdirSync(FIXTURES)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => name.slice(0, -".yaml".length));

test.each(names)("%s", async (name) => {
  const text = readFileSync(join(FIXTURES, `${name}.yaml`), "utf8");
  const loaded = load(text, { files: FILES, environment: ENVIRONMENT });
  const partly = loaded.stack ?? withoutFaults(text);
  const plain = web("");
  const golden = {
    ...(partly === undefined
      ? {}
      : {
          services: Object.fromEntries(
            partly.services.map((service) => [service.name, differenceOf(plain, { ...service, name: plain.name })]),
          ),
          ...(partly.name === "shop" ? {} : { name: partly.name }),
          ...(partly.volumes.length === 0 ? {} : { volumes: partly.volumes }),
          ...(partly.networks.every((network) => network.name.endsWith("_default"))
            ? {}
            : { networks: partly.networks }),
          ...(partly.configs === undefined ? {} : { configs: partly.configs }),
        }),
    problems: problems(loaded),
    warnings: warnings(loaded),
  };
  await expect(`${JSON.stringify(golden, undefined, 2)}\n`).toMatchFileSnapshot(join(FIXTURES, `${name}.json`));
});

/** The services that have no fault, loaded alone: a fixture shows what is right and what is wrong beside each other. */
function withoutFaults(text: string) {
  const all = load(text, { files: FILES, environment: ENVIRONMENT });
  const faulty = new Set(all.problems.map(({ path }) => /^services\.([a-z]+)/.exec(path)?.[1]));
  const drop = [...faulty].flatMap((name) => (name === undefined ? [] : [`  ${name}: !reset null`]));
  if (drop.length === 0) return undefined;
  return load([text, `services:\n${drop.join("\n")}\n`], { files: FILES, environment: ENVIRONMENT }).stack;
}

/** The paths of a tree's keys as the tables have them: a star where a user chooses the name. */
function pathsOf(node: ComposeNode | undefined, at: string, found: Set<string>): Set<string> {
  if (node?.kind === "list") node.items.forEach((item) => pathsOf(item, at, found));
  if (node?.kind !== "map") return found;
  const isNamed = STARS.has(at);
  for (const [key, entry] of node.entries) {
    const path = [at, isNamed ? "*" : key].filter((part) => part !== "").join(".");
    found.add(path);
    pathsOf(entry.node, path, found);
  }
  return found;
}

/** Where the tables have a star. */
const STARS = new Set(
  Object.keys(KEYS).flatMap((path) => [...path.matchAll(/\.\*/g)].map(({ index }) => path.slice(0, index))),
);

test("every key that has a verdict stands in a fixture, in its place", () => {
  const found = new Set<string>();
  const fixtures = readdirSync(join(FIXTURES, ".."), { recursive: true, encoding: "utf8" });
  for (const name of fixtures.filter((path) => path.endsWith(".yaml")))
    pathsOf(parseFile(name, readFileSync(join(FIXTURES, "..", name), "utf8")).root, "", found);
  expect(Object.keys(KEYS).filter((path) => !found.has(path))).toEqual([]);
});
