// Loaded before the simulator when a mutant is to be run: hands out that one file with its text changed. The name comes in SIM_MUTANT.

import { join } from "node:path";
import { plugin } from "bun";
import { MUTANTS } from "./mutants.ts";

const ROOT = join(import.meta.dirname, "../../..");
const name = process.env["SIM_MUTANT"];
const mutant = MUTANTS.find((one) => one.name === name);
if (mutant === undefined) throw new Error(`there is no mutant "${name ?? ""}"`);

const { file, find, replace } = mutant;
const path = join(ROOT, file);
plugin({
  name: "mutant",
  setup(build) {
    build.onLoad({ filter: /\/(src|workers)\/.*\.ts$/ }, async (asked) => {
      const text = await Bun.file(asked.path).text();
      if (asked.path !== path) return { contents: text, loader: "ts" };
      if (text.split(find).length !== 2) throw new Error(`"${mutant.name}" does not fit ${file} any more`);
      return { contents: text.replace(find, () => replace), loader: "ts" };
    });
  },
});
