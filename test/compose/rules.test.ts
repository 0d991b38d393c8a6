// A directory of files per rule of the specification: merging, including, extending, variables, profiles; what comes out is kept beside
// them as a golden file. `vitest -u` writes the golden files anew; the difference is then to be read.
// compose.yaml and override.yaml are the -f files, `env` holds variables, `profiles` a list; `outside` stands for paths beyond the project.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { parseRawEnvFile } from "../../src/compose/tree/env-file.ts";
import { differenceOf } from "./golden.ts";
import { load, problems, warnings, web } from "./harness.ts";

const FIXTURES = join(import.meta.dirname, "fixtures", "rules");
const OUTSIDE = {
  "outside/shared/site.conf": "../shared/site.conf",
  "outside/home/user/home.conf": "/home/user/home.conf",
};

test.each(readdirSync(FIXTURES))("%s", async (name) => {
  const directory = join(FIXTURES, name);
  const files = Object.fromEntries(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => {
        const inside = relative(directory, path);
        return [(OUTSIDE as Record<string, string>)[inside] ?? inside, readFileSync(path, "utf8")];
      }),
  );
  const texts = ["compose.yaml", "override.yaml"].flatMap((file) => files[file] ?? []);
  const loaded = load(texts, {
    files,
    environment: { HOME: "/home/user", GIVEN: "shell", ...parseRawEnvFile(files["env"] ?? "").values },
    profiles: (files["profiles"] ?? "").split(",").filter((profile) => profile !== ""),
  });
  const plain = web("");
  const golden = {
    ...(loaded.stack === undefined
      ? {}
      : {
          services: Object.fromEntries(
            loaded.stack.services.map((service) => [
              service.name,
              differenceOf(plain, { ...service, name: plain.name }),
            ]),
          ),
          volumes: loaded.stack.volumes.map((volume) => volume.name),
          ...(loaded.builds?.length === 0 ? {} : { builds: loaded.builds }),
        }),
    problems: problems(loaded),
    warnings: warnings(loaded),
  };
  const path = join(directory, "golden.json");
  expect(existsSync(path) || process.env["CI"] === undefined, "the golden file is missing").toBe(true);
  await expect(`${JSON.stringify(golden, undefined, 2)}\n`).toMatchFileSnapshot(path);
});
