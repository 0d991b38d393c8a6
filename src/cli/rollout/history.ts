// davit rollout history SERVICE

import { buildCommand } from "@stricli/core";
import { joinDifferences } from "../../core/commands/describe-change.ts";
import type { VersionHistoryView } from "../../core/model/rollout-views.ts";
import { type CliContext, JSON_FLAG, say, sayJson } from "../context.ts";
import { oneRef, serviceNames } from "../refs.ts";
import { cut, renderTable } from "../render/table.ts";
import { ago, shortImage } from "../render/units.ts";

export const rolloutHistory = buildCommand<{ readonly json: boolean }, [string], CliContext>({
  docs: { brief: "list the kept versions of a service: who made them, what differs, and what became of them" },
  parameters: { positional: oneRef("SERVICE", "name, id or unique prefix", serviceNames), flags: { json: JSON_FLAG } },
  async func({ json }, ref) {
    const { versions } = await (await this.client()).rollout(ref);
    if (json) return sayJson(this, versions);
    say(this, renderHistory(versions, this.nowMs()));
  },
});

export function renderHistory(versions: readonly VersionHistoryView[], nowMs: number): string {
  const rows = versions.map((version) => [
    `${version.isCurrent ? "*" : " "} ${version.version}`,
    `${ago(version.createdAt, nowMs)} ago`,
    version.by ?? "",
    version.stable ? "stable" : "",
    outcomeOf(version),
    cut(whatDiffers(version), 60),
    cut(version.outcome?.message ?? "", 100),
  ]);
  return renderTable(["VERSION", "MADE", "BY", "", "OUTCOME", "WHAT DIFFERS", "SAYS"], rows);
}

function outcomeOf({ outcome }: VersionHistoryView): string {
  return outcome?.state.replaceAll("_", " ") ?? "";
}

function whatDiffers({ comparedTo, changes, image }: VersionHistoryView): string {
  if (comparedTo === undefined) return `image ${shortImage(image)}`;
  return changes.length === 0 ? `nothing from ${comparedTo}` : joinDifferences(changes);
}
