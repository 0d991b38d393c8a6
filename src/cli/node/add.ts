// davit node add: joins hosts over SSH, several at once, with each step shown. What it needs of the user's SSH files is read here, where
// they are; the coordinator does the join.

import { buildCommand } from "@stricli/core";
import { DavitError, reasonOf } from "../../core/model/errors.ts";
import type { JoinProgress, JoinRequest, NodeView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { parseLabels } from "../labels.ts";
import { manyRefs } from "../refs.ts";
import { duration } from "../render/units.ts";

type Flags = {
  readonly identity?: readonly string[];
  readonly name?: string;
  readonly label?: readonly string[];
  readonly acceptHostKey: boolean;
  readonly sudoPasswordStdin: boolean;
  readonly sshConfig?: string;
  readonly json: boolean;
};

export const nodeAdd = buildCommand<Flags, string[], CliContext>({
  docs: {
    brief: "join hosts over SSH",
    fullDescription:
      "Joins bare hosts: looks at them first and reports everything that stands in the way, installs Docker if it is missing, starts the agent. Run it again after a failure: it goes on where it stopped.",
  },
  parameters: {
    positional: manyRefs("[user@]host[:port]", "hosts to join"),
    flags: {
      identity: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "private key file (may be given several times)",
        placeholder: "FILE",
      },
      name: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "the node's name (one host only); else its host name",
        placeholder: "NAME",
      },
      label: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "label for the node, k=v",
        placeholder: "K=V",
      },
      acceptHostKey: { kind: "boolean", brief: "accept and pin a host key that is not known yet", default: false },
      sudoPasswordStdin: { kind: "boolean", brief: "read the sudo password from standard input", default: false },
      sshConfig: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "use this file instead of ~/.ssh/config",
        placeholder: "FILE",
      },
      json: JSON_FLAG,
    },
  },
  func: addNodes,
});

async function addNodes(this: CliContext, flags: Flags, ...targets: string[]): Promise<void> {
  if (flags.name !== undefined && targets.length > 1)
    throw new DavitError("invalid_input", "--name names one host, but several were given");
  const sudoPassword = flags.sudoPasswordStdin ? (await this.readStdin()).replace(/\r?\n$/, "") : undefined;
  const results = await Promise.allSettled(targets.map((target) => join(this, target, flags, sudoPassword)));
  const joined = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (flags.json) sayJson(this, joined);
  else for (const node of joined) say(this, `${node.name} (${node.address}) is ready`);
  const failures = results.flatMap((result, at) =>
    result.status === "rejected" ? [{ target: targets[at] ?? "", error: result.reason as unknown }] : [],
  );
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first.error;
  throw new DavitError(
    first.error instanceof DavitError ? first.error.code : "internal",
    `${failures.length} of ${targets.length} hosts did not join`,
    {
      details: failures.map(({ target, error }) => ({
        where: target,
        message: reasonOf(error),
        ...(error instanceof DavitError && error.wayOut !== undefined ? { wayOut: error.wayOut } : {}),
      })),
      wayOut:
        "mend it, then run the same command again: hosts that joined are left alone, the others go on where they stopped",
    },
  );
}

async function join(
  context: CliContext,
  target: string,
  flags: Flags,
  sudoPassword: string | undefined,
): Promise<NodeView> {
  const { resolveTarget } = await import("../../ssh/config/resolve.ts");
  const resolved = resolveTarget(target, {
    environment: context.env,
    ...(flags.identity === undefined ? {} : { identityFiles: flags.identity }),
    ...(flags.sshConfig === undefined ? {} : { configFile: flags.sshConfig }),
  });
  const { skippedKeys, agentSocket, ...access } = resolved;
  const request: JoinRequest = {
    ...access,
    acceptNewHostKey: flags.acceptHostKey,
    ...(agentSocket === undefined || !context.isLocal ? {} : { agentSocket }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.label === undefined ? {} : { labels: parseLabels(flags.label) }),
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
  };
  try {
    return await attempt(context, target, request);
  } catch (error) {
    const again = await secondTry(context, target, request, error);
    if (again !== undefined) return await attempt(context, target, again);
    for (const skipped of skippedKeys) note(context, `${target}: ${skipped}`);
    throw error;
  }
}

async function attempt(context: CliContext, target: string, request: JoinRequest): Promise<NodeView> {
  const client = await context.client();
  return await client.join(request, (progress) => showStep(context, target, progress));
}

function showStep(context: CliContext, target: string, { state, step, message, elapsedMs }: JoinProgress): void {
  const time = elapsedMs >= 100 ? ` (${duration(elapsedMs)})` : "";
  if (state === "started") {
    if (context.isTerminal) note(context, `${target}: ${step}: ${message} …`);
    return;
  }
  note(
    context,
    `${target}: ${step}: ${state === "skipped" ? "nothing to do: " : state === "failed" ? "failed: " : ""}${message}${time}`,
  );
}

/** What a question on the terminal can mend: an unknown host key, a sudo password. */
async function secondTry(
  context: CliContext,
  target: string,
  request: JoinRequest,
  error: unknown,
): Promise<JoinRequest | undefined> {
  if (!context.canAsk || !(error instanceof DavitError)) return undefined;
  const text = [error.message, ...error.details.map((detail) => detail.message)].join("; ");
  if (!request.acceptNewHostKey && /host key/i.test(text) && /unknown|not known|never seen/i.test(text)) {
    const answer = await context.ask(`${target}: ${error.message}\nAccept and pin this host key? [y/N] `);
    return answer?.toLowerCase().startsWith("y") === true ? { ...request, acceptNewHostKey: true } : undefined;
  }
  if (request.sudoPassword === undefined && /sudo/i.test(text) && /password/i.test(text)) {
    const sudoPassword = await context.ask(`sudo password for ${request.user}@${request.host}: `, { hidden: true });
    return sudoPassword === undefined || sudoPassword === "" ? undefined : { ...request, sudoPassword };
  }
  return undefined;
}
