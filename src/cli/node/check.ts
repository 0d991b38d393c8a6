// davit node check: measures the ways between nodes through the mesh, one after the other, and says what is wrong with them.

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import type { PeerCheckView } from "../../core/model/peer-check.ts";
import type { NodeView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { type Paint, paintFor, plain } from "../render/color.ts";
import { renderTable } from "../render/table.ts";

type Flags = { readonly all: boolean; readonly throughput: boolean; readonly json: boolean };
type Pair = readonly [from: NodeView, to: NodeView];

export const nodeCheck = buildCommand<Flags, string[], CliContext>({
  docs: {
    brief: "measure the ways between nodes",
    fullDescription:
      "Measures the ways between nodes through the mesh, in both directions: round trip, loss, whether full-size packets arrive and, with --throughput, how much one connection carries. Two or more nodes: the ways between them. One node: those between it and all others. It says in words what is wrong, and what to do.",
  },
  parameters: {
    positional: { kind: "array", parameter: { placeholder: "node", brief: "nodes to check", parse: String } },
    flags: {
      all: { kind: "boolean", brief: "every way between all nodes", default: false },
      throughput: { kind: "boolean", brief: "fill each line for a second", default: false },
      json: JSON_FLAG,
    },
  },
  func: check,
});

async function check(this: CliContext, flags: Flags, ...refs: string[]): Promise<void> {
  const client = await this.client();
  const pairs = pairsOf(await client.nodes(), await Promise.all(refs.map((ref) => client.node(ref))), flags.all);
  const checks: PeerCheckView[] = [];
  for (const [from, to] of pairs) {
    if (!flags.json) note(this, `${from.name} to ${to.name} …`);
    checks.push(await checkOne(from, to, () => client.checkNode(from.id, to.id, { throughput: flags.throughput })));
  }
  if (flags.json) sayJson(this, checks);
  else say(this, renderChecks(checks, paintFor(this.hasColor.stdout)));
  if (checks.some(({ verdict }) => verdict === "bad")) this.process.exitCode = EXIT.failed;
}

/** Throws `invalid_input` when there is no pair to check. */
export function pairsOf(all: readonly NodeView[], named: readonly NodeView[], isAll: boolean): readonly Pair[] {
  if (named.length === 0 && !isAll)
    throw new DavitError("invalid_input", "check nodes: none is named", {
      wayOut: "davit node check --all, or davit node check NODE…",
    });
  const one = named.length === 1 ? named[0] : undefined;
  const chosen = isAll || one !== undefined ? all : named;
  const pairs = chosen.flatMap((from) => chosen.filter((to) => to.id !== from.id).map((to): Pair => [from, to]));
  const wanted = pairs.filter(([from, to]) => isAll || one === undefined || from.id === one.id || to.id === one.id);
  if (wanted.length === 0)
    throw new DavitError("invalid_input", "check nodes: there is only one", { wayOut: "davit node add user@host" });
  return wanted;
}

/** A node that cannot be asked is a fault of its own kind, and the others are still to be checked. */
async function checkOne(from: NodeView, to: NodeView, ask: () => Promise<PeerCheckView>): Promise<PeerCheckView> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof DavitError) || !["unavailable", "timeout", "not_yet", "not_found"].includes(error.code))
      throw error;
    return {
      from: from.name,
      to: to.name,
      endpoint: to.meshEndpoint,
      verdict: "bad",
      problem: `${from.name} could not be asked: ${error.message}`,
      wayOut: error.wayOut ?? `see davit node ls, and \`journalctl -u davit-agent\` on ${from.name}`,
      loss: 1,
      mtu: 0,
      carriesFullPackets: false,
    };
  }
}

export function renderChecks(checks: readonly PeerCheckView[], paint: Paint = plain): string {
  const rows = checks.map((one) => [
    one.from,
    one.to,
    paint(one.verdict === "good" ? "good" : "bad", one.verdict),
    one.latencyMs === undefined ? "-" : `${one.latencyMs.toFixed(2)} ms`,
    `${Math.round(one.loss * 100)} %`,
    one.mtu === 0 ? "-" : `${one.mtu}${one.carriesFullPackets ? "" : " lost"}`,
    one.bitsPerSecond === undefined ? "-" : `${(one.bitsPerSecond / 1e6).toFixed(0)} Mbit/s`,
  ]);
  const table = renderTable(["FROM", "TO", "VERDICT", "ROUND TRIP", "LOSS", "MTU", "THROUGHPUT"], rows);
  const faults = checks.filter(({ problem }) => problem !== "");
  const words = faults.map(({ problem, wayOut }) => `${problem}\n  way out: ${wayOut}`);
  return [table, ...words].join("\n");
}
