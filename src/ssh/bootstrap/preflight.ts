// Step: asks the host everything at once and stops the join if something is in its way, with all of it in one error.

import { DavitError } from "../../core/model/errors.ts";
import type { HostShell } from "../../ports/host-shell.ts";
import { type HostFacts, parseFacts } from "./facts.ts";
import { type Finding, judgePreflight, type PreflightContext } from "./judge-preflight.ts";
import { PREFLIGHT_SCRIPT } from "./preflight-script.ts";

/** Asks the host. `hasRoot` false: what can be known without root is still told. */
export async function gatherFacts(shell: HostShell, hasRoot: boolean): Promise<HostFacts> {
  const result = await shell.exec(["sh", "-c", PREFLIGHT_SCRIPT], {
    root: hasRoot,
    timeoutMs: 60_000,
  });
  return parseFacts(result.stdout);
}

/** Gathers facts and judges them. `also`: faults known before, such as sudo's. Gives the facts and what is only to be told. */
export async function preflight(
  shell: HostShell,
  context: Omit<PreflightContext, "wallMs" | "wallErrorMs">,
  also: readonly DavitError[],
  wallNowMs: () => number,
): Promise<{ readonly facts: HostFacts; readonly notes: readonly Finding[] }> {
  const beforeMs = wallNowMs();
  const facts = await gatherFacts(shell, also.length === 0);
  const afterMs = wallNowMs();
  const findings = judgePreflight(facts, {
    ...context,
    wallMs: (beforeMs + afterMs) / 2,
    wallErrorMs: (afterMs - beforeMs) / 2,
  });
  const stops = findings.filter((finding) => finding.stops);
  const details = [
    ...also.map((error) => ({ where: "root", message: error.message, wayOut: error.wayOut ?? "" })),
    ...stops,
  ];
  if (details.length === 0) return { facts, notes: findings };
  const count = details.length === 1 ? "1 fault" : `${details.length} faults`;
  throw new DavitError(
    "preflight_failed",
    `join ${shell.target}: ${count}: ${details.map(({ message }) => message).join("; ")}`,
    {
      wayOut: details.length === 1 ? (details[0]?.wayOut ?? "") : "repair all of them, then run the same command again",
      details: details.map(({ where, message, wayOut }) => ({ where, message, wayOut })),
    },
  );
}
