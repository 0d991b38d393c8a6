// The image of origin.c: a static program that does keep-alive, says who asked it, and ends in order.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab.ts";
import { mustRun } from "../run-command.ts";

/** Compiles it and pushes it to the lab's registry; where the program is, for hosts and for this machine. */
export async function pushOrigin(lab: Lab): Promise<string> {
  const files = join(lab.directory, "origin");
  const program = join(files, "bin", "origin");
  mkdirSync(join(files, "bin"), { recursive: true });
  await mustRun(["gcc", "-O2", "-static", "-pthread", "-o", program, join(import.meta.dirname, "origin.c")]);
  await lab.pushImage("origin:1", files, ["/bin/origin"]);
  return program;
}

/** The image's name. */
export function originImage(lab: Lab): string {
  return `${lab.registry}/origin:1`;
}
