// davit deploy: reads Compose files, shows the plan, applies it, waits until all is healthy.

import { buildCommand } from "@stricli/core";
import type { StackSpec } from "../../core/model/service-spec.ts";
import type { DeployView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { buildImages } from "./build.ts";
import { COMPOSE_FLAGS, type ComposeFlags, readCompose } from "../compose-files.ts";
import { WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

type Flags = ComposeFlags & WaitFlags & { readonly build: boolean; readonly dryRun: boolean; readonly json: boolean };

export const deploy = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: "bring a stack to what its Compose files say",
    fullDescription: "Services that have not changed are not touched. Ctrl-C detaches; the deploy goes on.",
  },
  parameters: {
    aliases: { f: "file" },
    flags: {
      ...COMPOSE_FLAGS,
      ...WAIT_FLAGS,
      build: {
        kind: "boolean",
        brief: "build the images that the files say how to, with this machine's docker, and push them first",
        default: false,
      },
      dryRun: { kind: "boolean", brief: "show the plan, change nothing", default: false },
      json: JSON_FLAG,
    },
  },
  async func(flags) {
    const { stack, builds } = await readCompose(this, flags);
    await buildImages(this, builds, flags);
    await deployStack(this, stack, flags);
  },
});

async function deployStack(context: CliContext, stack: StackSpec, flags: Flags): Promise<void> {
  const client = await context.client();
  const before = await client.services({ stack: stack.name });
  const plan = await client.deploy(stack, { dryRun: flags.dryRun });
  if (flags.json) sayJson(context, plan);
  else say(context, renderPlan(plan));
  for (const warning of plan.warnings) note(context, `warning: ${warning}`);
  if (flags.dryRun) return;
  // services that the file no longer names are waited for too, until they are gone
  const after = await client.services({ stack: stack.name });
  const services = new Map([...before, ...after].map((service) => [service.id, service]));
  await waitUnlessDetached(context, [...services.values()], flags);
}

const SIGNS = { create: "+", update: "~", remove: "-", unchanged: "=" } as const;

/** The plan of a deploy, a line a step. */
export function renderPlan(plan: DeployView): string {
  const lines = plan.steps.map(
    ({ kind, subject, description }) =>
      `${SIGNS[kind]} ${subject.kind} ${subject.name}${description === "" ? "" : `: ${description}`}`,
  );
  const changes = plan.steps.filter((step) => step.kind !== "unchanged").length;
  const summary =
    changes === 0
      ? `${plan.stack}: nothing to change`
      : `${plan.stack}: ${changes} ${changes === 1 ? "change" : "changes"}${plan.dryRun ? " (dry run: nothing was done)" : ""}`;
  return [summary, ...lines.map((line) => `  ${line}`)].join("\n");
}
