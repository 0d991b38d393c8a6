// Compose files as people write them, and the manifests that they come to, kept beside them. `vitest -u` writes the golden files anew;
// the difference is then to be read as somebody would who is about to apply it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { Harness } from "../cli/harness.ts";
import type { Exported } from "../../src/kubernetes/manifest.ts";
import { ruleFaults } from "./rules.ts";
import { schemaFaults } from "./schemas.ts";

const FIXTURES = join(import.meta.dirname, "fixtures");
const names = readdirSync(FIXTURES);

/** What a fixture adds to the command line, a word on each line. */
function wordsOf(name: string): readonly string[] {
  const path = join(FIXTURES, name, "flags");
  return existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((word) => word !== "")
    : [];
}

async function exported(name: string, ...more: string[]): Promise<Harness> {
  const cli = new Harness({ cwd: join(FIXTURES, name) });
  expect(await cli.run("export", "--kubernetes", ...wordsOf(name), ...more)).toBe(0);
  return cli;
}

describe("a Compose file as manifests", () => {
  test.each(names)("%s becomes what its golden file shows", async (name) => {
    const { stdout } = await exported(name);
    await expect(stdout).toMatchFileSnapshot(join(FIXTURES, name, "golden.yaml"));
  });

  test.each(names)(
    "%s becomes manifests that the schemas of Kubernetes know, and its rules beyond them",
    async (name) => {
      const { stdout } = await exported(name, "--json");
      const { manifests } = JSON.parse(stdout) as Exported;
      expect(manifests.length).toBeGreaterThan(0);
      expect([...manifests.flatMap(schemaFaults), ...ruleFaults(manifests)]).toEqual([]);
    },
  );

  test.each(names)("%s has every note on standard error, above the manifests and in the data", async (name) => {
    const { stdout, stderr } = await exported(name);
    const { notes } = JSON.parse((await exported(name, "--json")).stdout) as Exported;
    for (const { at, message } of notes) {
      expect(stdout).toContain(`# - ${at}: ${message}`);
      expect(stderr).toContain(`not carried over: ${at}: ${message}`);
    }
    expect(stdout.split("\n").filter((line) => line.startsWith("# - "))).toHaveLength(notes.length);
  });

  test.each(names)("%s printed and read again is the same data, by the rules of YAML 1.1 too", async (name) => {
    const { manifests } = JSON.parse((await exported(name, "--json")).stdout) as Exported;
    const documents = (await exported(name)).stdout.split(/^---$/m).slice(1);
    for (const version of ["1.1", "1.2"] as const)
      expect(documents.map((text) => parse(text, { version }) as unknown)).toEqual(manifests);
  });
});
