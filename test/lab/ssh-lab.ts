// What the SSH tests need of the lab: hosts of their own, commands on them, and a join with everything filled in.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { joinHost, type JoinInput, type JoinOutcome } from "../../src/ssh/bootstrap/join-host.ts";
import type { StepProgress } from "../../src/ssh/bootstrap/steps.ts";
import { publicKeyLine } from "../../src/ssh/authentication.ts";
import { HandshakeGates } from "../../src/ssh/gate.ts";
import { makeKey } from "../ssh/fake-host.ts";

const LAB_SCRIPT = process.env["LAB_SCRIPT"] ?? new URL("lab", import.meta.url).pathname;
const ENVIRONMENT = {
  BRIDGE: "davitlabs0",
  SUBNET: "10.81.0.0/24",
  LAB: "/var/lib/davit-lab-ssh",
  CACHE: "/var/lib/davit-lab/cache",
  ...process.env,
};

/** Runs a verb of the lab script; throws with its output if it fails. */
export function lab(...argv: readonly string[]): string {
  const result = spawnSync(LAB_SCRIPT, argv, { env: ENVIRONMENT, encoding: "utf8" });
  if (result.status !== 0)
    throw new Error(`lab ${argv.join(" ")}: ${result.stderr || result.stdout || String(result.error)}`);
  return result.stdout.trim();
}

/** Runs a shell script on a host as root, over the lab's own key. */
export function onHost(host: string, script: string): string {
  return lab("ssh", host, script);
}

/** A bare host, new: whatever an earlier test left is gone. */
export function newHost(name: string): { readonly name: string; readonly address: string } {
  lab("prepare");
  lab("up", "0");
  if (
    lab("ls")
      .split("\n")
      .some((line) => line.startsWith(`${name} `))
  )
    lab("destroy", name);
  lab("create", "bare", name);
  lab("start", name);
  lab("wait", name);
  lab("local-apt", name);
  return { name, address: lab("ip", name) };
}

export function userKey(): string {
  return readFileSync(`${ENVIRONMENT.LAB}/ssh/id_ed25519`, "utf8");
}

let binary: { readonly gz: Uint8Array; readonly sha256: string } | undefined;

/** The built agent: DAVIT_BINARY, or what the build made. */
export function agentBinary(): { readonly gz: Uint8Array; readonly sha256: string } {
  if (binary === undefined) {
    const path = process.env["DAVIT_BINARY"] ?? new URL("../../dist/davit-linux-x64", import.meta.url).pathname;
    const bytes = readFileSync(path);
    binary = { gz: gzipSync(bytes, { level: 1 }), sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  return binary;
}

export const clusterKey = makeKey().privateKey;
export const gates = new HandshakeGates();
const CLUSTER_ID = "c".repeat(25);

/** A join with everything filled in; `request` and `report` are what tests change. */
export async function join(
  request: Partial<JoinInput["request"]> & { readonly host: string },
  report: (progress: StepProgress) => void = () => undefined,
): Promise<JoinOutcome> {
  return await joinHost({
    request: {
      user: "root",
      port: 22,
      identities: [userKey()],
      jump: [],
      knownHosts: [],
      acceptNewHostKey: true,
      ...request,
    },
    clusterId: CLUSTER_ID,
    nodeId: createHash("sha256").update(request.host).digest("hex").slice(0, 25),
    nameOf: (hostName) => hostName,
    addressPool: "10.210.0.0/16",
    members: new Map(),
    issuerKeys: ['{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}'],
    clusterKey: { publicKey: publicKeyLine(clusterKey), privateKey: clusterKey },
    binaryFor: () => Promise.resolve(agentBinary()),
    gates,
    wallNowMs: () => Date.now(),
    nowMs: () => performance.now(),
    report,
  });
}

/** What a join reported as its outcome, by step. */
export async function outcomesOf(request: Parameters<typeof join>[0]): Promise<Readonly<Record<string, string>>> {
  const outcomes: Record<string, string> = {};
  await join(request, ({ step, state }) => {
    outcomes[step] = state;
  });
  return outcomes;
}
