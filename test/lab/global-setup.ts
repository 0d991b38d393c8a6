// Before the lab tests: the agent's binary is built, a lab for each worker is prepared, and what an interrupted run left there is gone.
// After them the labs are taken down. A lab that cannot be made is a failure of the suite.

import { join } from "node:path";
import { cleanLab } from "./cluster.ts";
import { TEST_LABS, testLab } from "./lab.ts";
import { mustRun } from "./run-command.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export async function setup(): Promise<() => Promise<void>> {
  const build = [process.execPath, join(ROOT, "scripts", "build.ts"), "--target", "linux-x64"] as const;
  await mustRun(build, { cwd: ROOT, timeoutMs: 300_000 });
  const labs = Array.from({ length: TEST_LABS }, (_, at) => testLab(at + 1));
  for (const lab of labs) {
    await cleanLab(lab);
    await lab.prepare();
  }
  return async () => {
    for (const lab of labs) await cleanLab(lab);
  };
}
