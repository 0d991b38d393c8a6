// What the SSH tests need of the lab: bare hosts of their own, and a join with everything filled in.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { gzipSync } from "node:zlib";
import { publicKeyLine } from "../../src/ssh/authentication.ts";
import { joinHost, type JoinInput, type JoinOutcome } from "../../src/ssh/bootstrap/join-host.ts";
import type { StepProgress } from "../../src/ssh/bootstrap/steps.ts";
import type { UserAccess } from "../../src/ssh/bootstrap/user-connection.ts";
import { HandshakeGates } from "../../src/ssh/gate.ts";
import { createKeyPair } from "../../src/ssh/key-pair.ts";
import { testLab } from "./lab.ts";

export const lab = testLab();

/** A bare host, new: whatever an earlier test left is gone. Gives its address. */
export async function newHost(name: string): Promise<string> {
  await lab.prepare();
  await lab.run("up", "0");
  if (existsSync(joinPath(lab.directory, "hosts", name))) await lab.destroy(name);
  await lab.add(name, "bare");
  await lab.localApt(name);
  return lab.ip(name);
}

export function userKey(): string {
  return readFileSync(lab.identityPath, "utf8");
}

/** Root with the lab's key; an unknown host key is accepted, for each host is new. */
export function userAccess(host: string): UserAccess {
  return { user: "root", host, port: 22, identities: [userKey()], jump: [], knownHosts: [], acceptNewHostKey: true };
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

export const clusterKey = createKeyPair("cluster").privateKey;
export const gates = new HandshakeGates();
const CLUSTER_ID = "c".repeat(25);

/** A join with everything filled in; `request` and `report` are what tests change. */
export async function join(
  request: Partial<JoinInput["request"]> & { readonly host: string },
  report: (progress: StepProgress) => void = () => undefined,
): Promise<JoinOutcome> {
  return await joinHost({
    request: { ...userAccess(request.host), ...request },
    clusterId: CLUSTER_ID,
    nodeId: createHash("sha256").update(request.host).digest("hex").slice(0, 25),
    nameOf: (hostName) => hostName,
    addressPool: "10.210.0.0/16",
    published: new Map(),
    mesh: { port: 51_820, encryption: "wireguard" },
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
