// The image of test/lab/apps/talker.ts: the server compiled into one file, with what it needs of the C library beside it.

import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Lab } from "./lab.ts";
import { mustRun } from "./run-command.ts";

const SOURCE = join(import.meta.dirname, "apps", "talker.ts");

/** Pushes talker:v1 … to the lab's registry; gives the image's name without its tag. */
export async function pushTalker(lab: Lab, versions: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(lab.directory, "talker-"));
  try {
    const program = join(folder, "bin", "talker");
    mkdirSync(dirname(program), { recursive: true });
    await mustRun([process.execPath, "build", "--compile", SOURCE, "--outfile", program]);
    const { stdout } = { stdout: await mustRun(["ldd", program]) };
    const libraries = [...stdout.matchAll(/(\/\S+\.so\S*)/g)].map(([, path = ""]) => path);
    for (const path of libraries.filter((each) => existsSync(each)))
      cpSync(path, join(folder, path), { dereference: true, recursive: true });
    mkdirSync(join(folder, "tmp"));
    for (const version of versions)
      await lab.pushImage(`talker:${version}`, folder, ["/bin/talker"], [`TALKER_VERSION=${version}`]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return `${lab.registry}/talker`;
}
