// davit node add: joins hosts over SSH, several at once, with each step shown. What it needs of the user's SSH files is read here, where
// they are; the coordinator does the join.

import { buildCommand } from "@stricli/core";
import type { DavitClient } from "../../client/types.ts";
import { DavitError, type ErrorDetail, reasonOf } from "../../core/model/errors.ts";
import { type MeshEndpoint, parseMeshEndpoint } from "../../core/model/mesh-endpoint.ts";
import type { JoinRequest, NodeView } from "../../core/model/views.ts";
import { type CliContext, JSON_FLAG, note, say, sayJson } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { parseLabels } from "../labels.ts";
import { manyRefs } from "../refs.ts";
import { JoinBoard } from "./join-board.ts";
import { JoinQuestions } from "./join-questions.ts";

type Flags = {
  readonly identity?: readonly string[];
  readonly name?: string;
  readonly label?: readonly string[];
  readonly endpoint?: string;
  readonly acceptHostKey: boolean;
  readonly sudoPasswordStdin: boolean;
  readonly sshConfig?: string;
  readonly json: boolean;
};

const text = { kind: "parsed", parse: String, optional: true } as const;

export const nodeAdd = buildCommand<Flags, string[], CliContext>({
  docs: {
    brief: "join hosts over SSH",
    fullDescription:
      "Joins bare hosts: looks at them first and reports everything that stands in the way, installs Docker if it is missing, starts the agent. Users, ports, keys and jump hosts come from ~/.ssh/config. Run it again after a failure: it goes on where it stopped.",
  },
  parameters: {
    aliases: { i: "identity", l: "label" },
    positional: manyRefs("[user@]host[:port]", "hosts to join"),
    flags: {
      identity: { ...text, variadic: true, brief: "private key file, and no other key", placeholder: "FILE" },
      name: { ...text, brief: "the node's name (one host only); else its host name", placeholder: "NAME" },
      label: { ...text, variadic: true, brief: "label for the node", placeholder: "K=V" },
      endpoint: {
        ...text,
        brief: "where other nodes reach its mesh, if that is not the host itself (one host only)",
        placeholder: "HOST[:PORT]",
      },
      acceptHostKey: { kind: "boolean", brief: "accept and pin a host key that is not known yet", default: false },
      sudoPasswordStdin: { kind: "boolean", brief: "read the sudo password from standard input", default: false },
      sshConfig: { ...text, brief: "use this file instead of ~/.ssh/config", placeholder: "FILE" },
      json: JSON_FLAG,
    },
  },
  func: addNodes,
});

type Failure = { readonly target: string; readonly error: unknown };

async function addNodes(this: CliContext, flags: Flags, ...words: string[]): Promise<void> {
  const targets = [...new Set(words)];
  if (flags.name !== undefined && targets.length > 1)
    throw new DavitError("invalid_input", "--name names one host, but several were given");
  if (flags.endpoint !== undefined && targets.length > 1)
    throw new DavitError("invalid_input", "--endpoint is of one host, but several were given");
  const meshEndpoint = flags.endpoint === undefined ? undefined : parseMeshEndpoint(flags.endpoint);
  const labels = parseLabels(flags.label ?? []);
  const sudoPassword = flags.sudoPasswordStdin ? (await this.readStdin()).replace(/\r?\n$/, "") : undefined;
  const abort = new AbortController();
  const release = this.onInterrupt(() => abort.abort());
  const board = new JoinBoard(this);
  const questions = new JoinQuestions(this, board);
  const job = { context: this, flags, meshEndpoint, labels, sudoPassword, board, questions, signal: abort.signal };
  const results = await Promise.allSettled(targets.map((target) => join(job, target)));
  board.close();
  release();
  const joined = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (flags.json) sayJson(this, joined);
  else for (const node of joined) say(this, `${node.name} (${node.address}) is ${node.presence}`);
  if (abort.signal.aborted) {
    note(this, "stopped: each host stays as far as it got; the same command goes on from there");
    this.process.exitCode = EXIT.detached;
    return;
  }
  const failures = results.flatMap((result, at): Failure[] =>
    result.status === "rejected" ? [{ target: targets[at] ?? "", error: result.reason }] : [],
  );
  if (failures.length > 0) throw failureOf(failures, targets.length);
}

type Job = {
  readonly context: CliContext;
  readonly flags: Flags;
  readonly labels: Readonly<Record<string, string>>;
  readonly meshEndpoint: MeshEndpoint | undefined;
  readonly sudoPassword: string | undefined;
  readonly board: JoinBoard;
  readonly questions: JoinQuestions;
  readonly signal: AbortSignal;
};

/** Joins one host; asks for what is missing and tries again, as long as the answers change something. */
async function join(job: Job, target: string): Promise<NodeView> {
  const { context, flags, labels, sudoPassword, board, questions, signal } = job;
  const { resolveTarget } = await import("../../ssh/config/resolve.ts");
  const resolved = resolveTarget(target, {
    environment: context.env,
    ...(flags.identity === undefined ? {} : { identityFiles: flags.identity }),
    ...(flags.sshConfig === undefined ? {} : { configFile: flags.sshConfig }),
  });
  const { skippedKeys, lockedKeys, agentSocket, ...access } = resolved;
  let request: JoinRequest = {
    ...access,
    labels,
    acceptNewHostKey: flags.acceptHostKey,
    ...(agentSocket === undefined || !context.isLocal ? {} : { agentSocket }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(job.meshEndpoint === undefined ? {} : { meshEndpoint: job.meshEndpoint }),
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
  };
  const client = await context.client();
  for (;;) {
    try {
      return await client.join(request, (progress) => board.step(target, progress), signal);
    } catch (error) {
      const next = signal.aborted ? undefined : await questions.mend(request, lockedKeys, error);
      if (next !== undefined) {
        request = next;
        continue;
      }
      board.ended(target);
      const known = await memberAt(client, request, error);
      if (known === undefined) throw withDetails(error, skippedKeys);
      note(context, `${target}  it is node ${known.name} already and is left as it is`);
      return known;
    }
  }
}

/** The host's node, when that it is one already is all that stands in the way: the command may be run again. */
async function memberAt(
  client: DavitClient,
  { host, port }: JoinRequest,
  error: unknown,
): Promise<NodeView | undefined> {
  if (!(error instanceof DavitError) || error.details.length !== 1) return undefined;
  const [detail] = error.details;
  if (detail?.where !== "membership") return undefined;
  const name = /^the host is already node (\S+) of this cluster/.exec(detail.message)?.[1];
  const node = name === undefined ? undefined : await client.node(name);
  // under another address it is for the user to say which is right
  return node !== undefined && [host, `${host}:${port}`].includes(node.address) ? node : undefined;
}

/** A login that failed says which key files could not be used. */
function withDetails(error: unknown, skippedKeys: readonly string[]): unknown {
  if (!(error instanceof DavitError) || error.code !== "ssh_failed" || skippedKeys.length === 0) return error;
  return new DavitError(error.code, error.message, {
    details: [...error.details, ...skippedKeys.map((message) => ({ message }))],
    cause: error,
    ...(error.wayOut === undefined ? {} : { wayOut: error.wayOut }),
  });
}

/** One host's error as it is; those of several together. */
function failureOf(failures: readonly Failure[], total: number): unknown {
  const [first] = failures;
  if (failures.length === 1 && total === 1) return first?.error;
  const codes = new Set(failures.map(({ error }) => (error instanceof DavitError ? error.code : "internal")));
  const [code = "internal"] = codes;
  return new DavitError(
    codes.size === 1 ? code : "bootstrap_failed",
    `join: ${failures.length} of ${total} hosts did not join`,
    {
      details: failures.flatMap(detailsOf),
      wayOut:
        "mend it, then run the same command again: hosts that joined are left alone, the others go on where they stopped",
    },
  );
}

function detailsOf({ target, error }: Failure): readonly ErrorDetail[] {
  if (!(error instanceof DavitError)) return [{ where: target, message: reasonOf(error) }];
  const own = {
    where: target,
    message: error.message,
    ...(error.wayOut === undefined ? {} : { wayOut: error.wayOut }),
  };
  const more = error.details.map((detail) => ({
    ...detail,
    where: detail.where === undefined ? target : `${target}: ${detail.where}`,
  }));
  return [own, ...more];
}
