// Where the agent's files are and what the join wrote down: node.json and issuers.json. The paths can be set by environment, for tests.

import { readFileSync } from "node:fs";
import { DavitError } from "../../src/core/model/errors.ts";
import { isId } from "../../src/core/model/ids.ts";

export type AgentPaths = {
  readonly configDir: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly engineSocket: string;
};

export type NodeConfig = {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly clusterId: string;
  readonly issuerKeys: readonly string[];
};

export function agentPaths(environment: Readonly<Record<string, string | undefined>>): AgentPaths {
  return {
    configDir: environment["DAVIT_AGENT_CONFIG_DIR"] ?? "/etc/davit",
    stateDir: environment["DAVIT_AGENT_STATE_DIR"] ?? "/var/lib/davit",
    runtimeDir: environment["DAVIT_AGENT_RUNTIME_DIR"] ?? "/run/davit",
    engineSocket: environment["DAVIT_ENGINE_SOCKET"] ?? "/var/run/docker.sock",
  };
}

/** Throws `invalid_input` when the join's files are missing or not as the join writes them. */
export function readNodeConfig(configDir: string): NodeConfig {
  const node = readJson(`${configDir}/node.json`);
  const issuers = readJson(`${configDir}/issuers.json`);
  const { nodeId, nodeName, clusterId } = (typeof node === "object" && node !== null ? node : {}) as Readonly<
    Record<string, unknown>
  >;
  if (
    typeof nodeId !== "string" ||
    typeof clusterId !== "string" ||
    typeof nodeName !== "string" ||
    !isId(nodeId) ||
    !isId(clusterId)
  ) {
    throw notJoined(`${configDir}/node.json does not name node and cluster`);
  }
  if (!Array.isArray(issuers)) throw notJoined(`${configDir}/issuers.json is not a list of keys`);
  const issuerKeys = issuers.map((key: unknown) => (typeof key === "string" ? key : JSON.stringify(key)));
  return { nodeId, nodeName, clusterId, issuerKeys };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw notJoined(`${path} cannot be read`, cause);
  }
}

function notJoined(why: string, cause?: unknown): DavitError {
  return new DavitError("invalid_input", `start agent: ${why}`, {
    wayOut: "join this host with `davit node add`",
    ...(cause === undefined ? {} : { cause }),
  });
}
