// The known bugs still fit the code: whether the simulator catches them is for npm run sim:mutants, which takes minutes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FAULTS } from "../story/faults.ts";
import { MUTANTS } from "./mutants.ts";

const ROOT = join(import.meta.dirname, "../../..");

describe("a known bug", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    "has its one place in the code: %s",
    (_, mutant) => {
      expect(readFileSync(join(ROOT, mutant.file), "utf8").split(mutant.find)).toHaveLength(2);
      expect(mutant.replace).not.toBe(mutant.find);
      const known = FAULTS.map(({ name }) => name);
      for (const fault of mutant.faults ?? []) expect(known).toContain(fault);
    },
  );

  test("has a name of its own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });
});
