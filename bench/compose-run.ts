// One load of a stack in a process of its own, for bench/compose.ts: prints milliseconds of the first load and of a second one, or of the
// YAML library alone for the same texts.
// Usage: bun bench/compose-run.ts DIRECTORY SERVICES [library]

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { hashBytes, readDiskFile } from "../src/cli/compose-disk.ts";
import { createCalendar } from "../src/system/calendar.ts";
import { loadStack } from "../src/compose/load.ts";

const [directory = ".", services = "0", only] = process.argv.slice(2);

function load(): void {
  const path = join(directory, "compose.yaml");
  const { stack, problems } = loadStack({
    files: [{ name: "compose.yaml", path, text: readFileSync(path, "utf8") }],
    directory,
    variables: { values: {}, origins: {} },
    profiles: [],
    read: readDiskFile,
    hash: hashBytes,
    nextTick: createCalendar(),
  });
  if (stack?.services.length !== Number(services)) throw new Error(JSON.stringify(problems.slice(0, 3)));
}

function parse(): void {
  for (const name of readdirSync(directory)) parseAllDocuments(readFileSync(join(directory, name), "utf8"));
}

function timed(run: () => void): number {
  const from = performance.now();
  run();
  return performance.now() - from;
}

const measured = only === "library" ? { library: timed(parse) } : { load: timed(load), again: timed(load) };
console.log(JSON.stringify(measured));
