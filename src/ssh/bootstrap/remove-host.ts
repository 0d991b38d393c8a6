// Takes davit away from a host: asks the removal unit that the join put there, with the cluster's key, and tells what it said.

import { DavitError } from "../../core/model/errors.ts";
import type { HostShell } from "../../ports/host-shell.ts";
import { NOT_REMOVED, REMOVED, type RemovalMode, removalRequest } from "./removal.ts";
import { type StepProgress, stepsOf } from "./steps.ts";

export type RemoveInput = {
  /** As the user davit, such as NodeLinks gives. */
  readonly shell: HostShell;
  readonly mode: RemovalMode;
  /** A clock for durations, in milliseconds. */
  readonly nowMs: () => number;
  readonly report: (progress: StepProgress) => void;
};

/** Containers get ten seconds to end, all at once; the engine may take its time with many. */
const REMOVAL_TIMEOUT_MS = 180_000;

/** Resolves once nothing of davit is left on the host; volumes are kept unless asked, Docker always. Rejects with `bootstrap_failed`. */
export async function removeHost(input: RemoveInput): Promise<void> {
  const { shell, mode } = input;
  await stepsOf(input.report, input.nowMs).run("remove", `take davit away from ${shell.target}`, async () => {
    const result = await shell.exec(removalRequest(mode).asked, { timeoutMs: REMOVAL_TIMEOUT_MS });
    const said = result.stdout.trim().split("\n");
    if (result.exitCode === 0 && said.includes(REMOVED)) {
      return { value: undefined, message: said.filter((line) => line !== REMOVED).join("; ") };
    }
    const reasons = [...said, ...result.stderr.trim().split("\n")].filter(
      (line) => line !== "" && line !== NOT_REMOVED,
    );
    throw new DavitError(
      "bootstrap_failed",
      `take davit away from ${shell.target}: ${reasons.at(-1) ?? "it said nothing"}`,
      {
        wayOut: "repair it and run the same command again; --force forgets the node and leaves the host as it is",
        details: reasons.map((message) => ({ message })),
      },
    );
  });
}
