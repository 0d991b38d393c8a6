// davit rollout ls

import { buildCommand } from "@stricli/core";
import type { RolloutView } from "../../core/model/rollout-views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { cut, renderTable } from "../render/table.ts";
import { ago } from "../render/units.ts";

type Flags = { readonly stack?: string; readonly json: boolean };

export const rolloutLs = buildCommand<Flags, [], CliContext>({
  docs: { brief: "list the last change of each service that was changed, those under way first" },
  parameters: {
    flags: {
      stack: { kind: "parsed", parse: String, optional: true, brief: "only those of a stack", placeholder: "NAME" },
      json: JSON_FLAG,
    },
  },
  async func({ stack, json }) {
    const rollouts = await (await this.client()).rollouts(stack === undefined ? {} : { stack });
    if (json) return sayJson(this, rollouts);
    if (rollouts.length === 0) return say(this, "no service has been changed since its first deploy");
    say(this, renderRollouts(rollouts, this.nowMs()));
  },
});

export function renderRollouts(rollouts: readonly RolloutView[], nowMs: number): string {
  const rows = rollouts.map((rollout) => [
    rollout.service,
    `v${rollout.fromVersion} → v${rollout.toVersion}`,
    rollout.strategy,
    rollout.state.replaceAll("_", " "),
    rollout.progress === undefined ? "" : `${rollout.progress.done}/${rollout.progress.of}`,
    `${ago(rollout.startedAt, nowMs)} ago`,
    cut(whatNext(rollout, nowMs), 110),
  ]);
  return renderTable(["SERVICE", "CHANGE", "STRATEGY", "STATE", "DONE", "BEGAN", "SAYS"], rows);
}

/** Where it stands, and what happens next or must be typed. */
function whatNext(rollout: RolloutView, nowMs: number): string {
  const { message, service, waitsForPromotion, promotesAt, keptUntil } = rollout;
  if (waitsForPromotion) return `${message}: davit rollout promote ${service}`;
  if (promotesAt !== undefined) return `${message}; in ${until(promotesAt, nowMs)}`;
  return keptUntil === undefined ? message : `${message}; for ${until(keptUntil, nowMs)} more`;
}

function until(iso: string, nowMs: number): string {
  return ago(new Date(nowMs).toISOString(), Date.parse(iso));
}
