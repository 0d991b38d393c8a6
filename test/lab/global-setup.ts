// Before the lab tests: the agent's binary is built, the tests' lab is prepared, and what an interrupted run left there is gone.
// After them the lab is taken down. A lab that cannot be made is a failure of the suite.

import { join } from "node:path";
import { cleanLab } from "./cluster.ts";
import { Lab, placeFrom, TEST_PLACE } from "./lab.ts";
import { mustRun } from "./run-command.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export async function setup(): Promise<() => Promise<void>> {
  const place = placeFrom(process.env, TEST_PLACE);
  Object.assign(process.env, { LAB: place.directory, BRIDGE: place.bridge, SUBNET: place.subnet });
  const build = [process.execPath, join(ROOT, "scripts", "build.ts"), "--target", "linux-x64"] as const;
  await mustRun(build, { cwd: ROOT, timeoutMs: 300_000 });
  const lab = new Lab(place);
  await cleanLab(lab);
  await lab.prepare();
  return () => cleanLab(lab);
}
