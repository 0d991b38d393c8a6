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
  /** How public certificates come. */
  readonly acme: {
    /** URL of the server's directory. */
    readonly directoryUrl: string;
    readonly email?: string;
    /** PEM file with what the server's own certificate is signed by. */
    readonly caFile?: string;
    /** Program that puts proofs into the DNS. */
    readonly dnsHook?: string;
  };
  readonly logLevel: (typeof LEVELS)[number];
};

export const UP_HELP = `davit up – run the coordinator

  davit up [--data-dir DIR] [--listen HOST:PORT | --listen off] [--address-pool CIDR] [--encryption wireguard|off] [--mesh-port PORT]
           [--acme-directory URL] [--acme-email ADDRESS] [--acme-ca FILE] [--acme-dns-hook PROGRAM] [--log-level LEVEL]

  --data-dir DIR       state, keys and the owner's socket (default: ~/.local/share/davit)
  --listen HOST:PORT   the HTTP API for users with a token (default: ${DEFAULT_LISTEN}; off: only the socket)
  --address-pool CIDR  addresses of all containers, a /24 for each node (default: ${DEFAULT_POOL}); cannot change later
  --encryption HOW     wireguard, or off for nodes on one trusted link (default: wireguard); cannot change later
  --mesh-port PORT     UDP port between nodes (default: ${DEFAULT_MESH_PORT}); cannot change later
  --acme-directory URL where public certificates come from: URL of an ACME server's directory, production or staging of
                       Let's Encrypt (default: production)
  --acme-email ADDRESS whom its operator may write to
  --acme-ca FILE       PEM of the authority that signed the ACME server's own certificate, where the world's did not
  --acme-dns-hook PROGRAM
                       proves names by DNS instead of HTTP, as wildcards need it: called with present or cleanup, the record's
                       name and its TXT value
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
    acme: readAcme(values),
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
        "acme-directory": { type: "string" },
        "acme-email": { type: "string" },
        "acme-ca": { type: "string" },
        "acme-dns-hook": { type: "string" },
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

const DIRECTORIES: Readonly<Record<string, string>> = {
  production: "https://acme-v02.api.letsencrypt.org/directory",
  staging: "https://acme-staging-v02.api.letsencrypt.org/directory",
};

function readAcme(values: ReturnType<typeof parse>): UpOptions["acme"] {
  const given = values["acme-directory"] ?? "production";
  const directoryUrl = DIRECTORIES[given] ?? given;
  if (!URL.canParse(directoryUrl) || !directoryUrl.startsWith("https://"))
    throw new DavitError("invalid_input", `start: '${given}' is not the URL of an ACME directory`, {
      wayOut: `write --acme-directory https://…, or one of ${Object.keys(DIRECTORIES).join(", ")}`,
    });
  const email = values["acme-email"];
  if (email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(email))
    throw new DavitError("invalid_input", `start: '${email}' is not an address to write to`);
  const [caFile, dnsHook] = [values["acme-ca"], values["acme-dns-hook"]];
  return {
    directoryUrl,
    ...(email === undefined ? {} : { email }),
    ...(caFile === undefined ? {} : { caFile }),
    ...(dnsHook === undefined ? {} : { dnsHook }),
  };
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
