// The options of `davit up`. Pure.

import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { DEFAULT_MESH_PORT } from "../core/model/records.ts";
import { checkPool, renderCidr } from "../core/model/subnets.ts";

export const DEFAULT_POOL = "10.210.0.0/16";
export const DEFAULT_LISTEN = "127.0.0.1:7373";
const LEVELS = ["debug", "info", "warning", "error"] as const;

export type UpOptions = {
  readonly dataDir: string;
  readonly addressPool: string;
  readonly isPoolGiven: boolean;
  /** As given: they hold from the first start on. */
  readonly encryption?: "wireguard" | "off";
  readonly meshPort?: number;
  /** Absent: only the unix socket. */
  readonly listen?: { readonly host: string; readonly port: number };
  readonly logLevel: (typeof LEVELS)[number];
};

export const UP_HELP = `davit up – run the coordinator

  davit up [--data-dir DIR] [--listen HOST:PORT | --listen off] [--address-pool CIDR] [--encryption wireguard|off] [--mesh-port PORT]
           [--log-level LEVEL]

  --data-dir DIR       state, keys and the owner's socket (default: ~/.local/share/davit)
  --listen HOST:PORT   the HTTP API for users with a token (default: ${DEFAULT_LISTEN}; off: only the socket)
  --address-pool CIDR  addresses of all containers, a /24 for each node (default: ${DEFAULT_POOL}); cannot change later
  --encryption HOW     wireguard, or off for nodes on one trusted link (default: wireguard); cannot change later
  --mesh-port PORT     UDP port between nodes (default: ${DEFAULT_MESH_PORT}); cannot change later
  --log-level LEVEL    ${LEVELS.join(", ")} (default: info)

It ends in order on SIGINT and SIGTERM; containers go on without it.
`;

/** Reads the arguments after `up`. Throws `invalid_input`. */
export function readUpOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): UpOptions | "help" {
  const values = parse(argv);
  if (values.help === true) return "help";
  const logLevel = LEVELS.find((level) => level === (values["log-level"] ?? env["DAVIT_LOG"] ?? "info"));
  if (logLevel === undefined)
    throw new DavitError("invalid_input", `start: '${values["log-level"] ?? env["DAVIT_LOG"]}' is not a log level`, {
      wayOut: `one of ${LEVELS.join(", ")}`,
    });
  const listen = readListen(values.listen ?? DEFAULT_LISTEN);
  return {
    dataDir:
      values["data-dir"] ??
      env["DAVIT_DATA_DIR"] ??
      join(env["XDG_DATA_HOME"] ?? join(homedir(), ".local/share"), "davit"),
    addressPool: renderCidr(checkPool(values["address-pool"] ?? DEFAULT_POOL)),
    isPoolGiven: values["address-pool"] !== undefined,
    ...readMesh(values),
    logLevel,
    ...(listen === undefined ? {} : { listen }),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        "data-dir": { type: "string" },
        listen: { type: "string" },
        "address-pool": { type: "string" },
        encryption: { type: "string" },
        "mesh-port": { type: "string" },
        "log-level": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new DavitError("invalid_input", `start: ${reasonOf(error)}`, { wayOut: "davit up --help" });
  }
}

function readMesh(values: {
  readonly encryption?: string | undefined;
  readonly "mesh-port"?: string | undefined;
}): Pick<UpOptions, "encryption" | "meshPort"> {
  const { encryption, "mesh-port": port } = values;
  if (encryption !== undefined && encryption !== "wireguard" && encryption !== "off")
    throw new DavitError("invalid_input", `start: '${encryption}' is no way to encrypt between nodes`, {
      wayOut: "--encryption wireguard, or --encryption off for nodes on one trusted link",
    });
  const meshPort = port === undefined ? undefined : Number(port);
  if (meshPort !== undefined && !(Number.isSafeInteger(meshPort) && meshPort >= 1 && meshPort <= 65_535))
    throw new DavitError("invalid_input", `start: '${port}' is not a port`, {
      wayOut: `write --mesh-port ${DEFAULT_MESH_PORT}`,
    });
  return { ...(encryption === undefined ? {} : { encryption }), ...(meshPort === undefined ? {} : { meshPort }) };
}

function readListen(text: string): UpOptions["listen"] {
  if (text === "off") return undefined;
  const match = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535)
    throw new DavitError("invalid_input", `start: '${text}' is not an address to listen on`, {
      wayOut: `write --listen ${DEFAULT_LISTEN}, or --listen off`,
    });
  return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}
