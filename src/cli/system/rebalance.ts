// davit rebalance: shows which tasks would go elsewhere if they were placed now, and moves them once that is agreed to.

import type { RebalanceView } from "../../core/model/rebalance-views.ts";
import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { renderTable } from "../render/table.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

type Flags = Omit<WaitFlags, "waitMonitor"> & {
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly json: boolean;
};

export const rebalance = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: "even out what runs where, after a node joined or came back",
    fullDescription:
      "Shows the plan first. Each task is made on its new node before the other one ends, as many at once as its service's update_config allows; constraints, affinities and volumes hold. Ctrl-C detaches; the moves go on, also after a restart of the coordinator.",
  },
  parameters: {
    flags: {
      dryRun: { kind: "boolean", brief: "show the plan, change nothing", default: false },
      yes: { kind: "boolean", brief: "do not ask", default: false },
      detach: WAIT_FLAGS.detach,
      timeout: WAIT_FLAGS.timeout,
      json: JSON_FLAG,
    },
    aliases: { y: "yes" },
  },
  func: run,
});

async function run(this: CliContext, flags: Flags): Promise<void> {
  const client = await this.client();
  const plan = await client.rebalance({ dryRun: true });
  if (flags.dryRun && flags.json) return sayJson(this, plan);
  if (!flags.json) say(this, renderPlan(plan));
  if (flags.dryRun || plan.moves.length === 0) return flags.json ? sayJson(this, plan) : undefined;
  if (!flags.yes && !(await isAgreed(this))) return note(this, "nothing was moved");
  const done = await client.rebalance({ moves: plan.moves });
  if (flags.json) sayJson(this, done);
  const services = new Map(done.moves.map((move) => [move.serviceId, { id: move.serviceId, name: move.service }]));
  await waitUnlessDetached(this, [...services.values()], { ...flags, waitMonitor: false });
}

async function isAgreed(context: CliContext): Promise<boolean> {
  if (!context.canAsk)
    throw new DavitError("invalid_input", "rebalance: there is nobody to ask whether the plan is right", {
      wayOut: "look at it with --dry-run, then give --yes",
    });
  const answer = await context.ask("Move them? [y/N] ");
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

function renderPlan({ moves, stays }: RebalanceView): string {
  const rows = moves.map(({ task, from, to, why }) => [task, from, to, why]);
  const lines = moves.length === 0 ? ["nothing to move: every task that may move is where it would be placed now"] : [];
  if (moves.length > 0) lines.push(renderTable(["TASK", "FROM", "TO", "WHY"], rows));
  return [...lines, ...stays.map(({ service, reason }) => `${service} stays: ${reason}`)].join("\n");
}
