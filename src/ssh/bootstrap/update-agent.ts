// Brings another agent to a host that is a node already: the binary is replaced if its hash differs, and the unit restarted. Containers go on.

import { DavitError } from "../../core/model/errors.ts";
import type { HandshakeGates } from "../gate.ts";
import { type AgentBinary, ensureBinary, ensureRunning } from "./agent.ts";
import { architectureOf } from "./architecture.ts";
import { ensureEngine } from "./engine.ts";
import { gatherFacts } from "./preflight.ts";
import { type StepProgress, stepsOf } from "./steps.ts";
import { connectStep, openRootShell, type UserAccess } from "./user-connection.ts";

export type UpdateInput = {
  readonly access: UserAccess;
  readonly binaryFor: (architecture: "x64" | "arm64") => Promise<AgentBinary>;
  readonly gates: HandshakeGates;
  /** A clock for durations, in milliseconds. */
  readonly nowMs: () => number;
  readonly report: (progress: StepProgress) => void;
};

/** True if the binary was replaced. Rejects with DavitError: `ssh_failed`, `preflight_failed` (no root) or `bootstrap_failed`. */
export async function updateAgent(input: UpdateInput): Promise<boolean> {
  const steps = stepsOf(input.report, input.nowMs);
  const connection = await connectStep(steps, input.access, input.gates);
  try {
    const root = await openRootShell(connection, input.access.sudoPassword);
    const [problem] = root.problems;
    if (problem !== undefined) throw problem;
    const facts = await gatherFacts(root.shell, true);
    if (facts.installed.node === "") {
      throw new DavitError("bootstrap_failed", `update the agent on ${root.shell.target}: it is no node`, {
        wayOut: "join it first: davit node add",
      });
    }
    await steps.run("engine", "make sure that all is there that the agent runs", (note) =>
      ensureEngine(root.shell, facts, note),
    );
    const changed = await steps.run("agent", "upload the agent", async () =>
      ensureBinary(root.shell, facts.installed.binarySha256, await input.binaryFor(architectureOf(facts))),
    );
    await steps.run("start", "restart the agent", () => ensureRunning(root.shell, facts, changed));
    return changed;
  } finally {
    connection.close();
  }
}
