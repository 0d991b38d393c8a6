// Which coordinator a command means: --host, DAVIT_HOST, or the socket in the usual place; a path, ssh://…, http(s)://….

import { accessSync, constants, existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Duplex } from "node:stream";
import packageJson from "../../package.json" with { type: "json" };
import type { ClientTarget, DavitClient } from "../client/types.ts";
import { DavitError } from "../core/model/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export type Where =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "ssh"; readonly target: string; readonly path: string };

/** Where a coordinator installed as a unit has its socket. */
const INSTALLED_SOCKET = "/var/lib/davit-coordinator/davit.sock";

/** Reads a host text. Throws `invalid_input`. */
export function parseHost(text: string | undefined, env: Environment): Where {
  if (text === undefined || text === "") return { kind: "socket", path: usualSocket(env) };
  if (/^https?:\/\//.test(text)) return { kind: "url", url: text.replace(/\/$/, "") };
  if (text.startsWith("ssh://")) {
    const match = /^ssh:\/\/([^/]+)(\/.*)?$/.exec(text);
    if (match?.[1] === undefined)
      throw new DavitError("invalid_input", `read host: '${text}' is not ssh://[user@]host[:port][/path/davit.sock]`);
    return { kind: "ssh", target: match[1], path: match[2] === "/" ? "" : (match[2] ?? "") };
  }
  const path = text.replace(/^unix:\/\//, "");
  if (!path.startsWith("/") && !path.startsWith("."))
    throw new DavitError("invalid_input", `read host: '${text}' is no coordinator's address`, {
      wayOut: "write a socket's path, ssh://user@host, or https://host with DAVIT_TOKEN",
    });
  return { kind: "socket", path };
}

function usualSocket(env: Environment): string {
  const dataDir =
    env["DAVIT_DATA_DIR"] ?? join(env["XDG_DATA_HOME"] ?? join(env["HOME"] ?? homedir(), ".local/share"), "davit");
  const own = join(dataDir, "davit.sock");
  return !existsSync(own) && existsSync(dirname(INSTALLED_SOCKET)) ? INSTALLED_SOCKET : own;
}

/** The client for it; connections are made when something is asked. */
export async function connectTo(where: Where, env: Environment): Promise<DavitClient> {
  const { createClient } = await import("../client/client.ts");
  return createClient(await targetOf(where, env), { userAgent: `davit/${packageJson.version}` });
}

async function targetOf(where: Where, env: Environment): Promise<ClientTarget> {
  switch (where.kind) {
    case "socket":
      if (isForbidden(where.path)) throw notOwner(where.path);
      return { kind: "socket", socketPath: where.path };
    case "url": {
      const token = env["DAVIT_TOKEN"];
      if (token === undefined || token === "")
        throw new DavitError("unauthenticated", `talk to ${where.url}: it needs a token`, {
          wayOut: "set DAVIT_TOKEN; an admin makes one with davit token create",
        });
      return { kind: "url", url: where.url, token };
    }
    case "ssh":
      return { kind: "dial", dial: await sshDialer(where, env), target: `ssh://${where.target}` };
  }
}

function isForbidden(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

function notOwner(path: string): DavitError {
  return new DavitError("forbidden", `talk to the coordinator at ${path}: its socket is for its owner`, {
    wayOut:
      "use sudo; or have a token made (sudo davit token create NAME --role admin), and set DAVIT_TOKEN and DAVIT_HOST=http://127.0.0.1:7373",
  });
}

/** One SSH connection for the command, a stream on it for each request; a connection that broke is opened anew at the next. */
async function sshDialer(where: Extract<Where, { kind: "ssh" }>, env: Environment): Promise<() => Promise<Duplex>> {
  const { openUserShell } = await import("../ssh/user-shell.ts");
  const open = async (): Promise<() => Promise<Duplex>> => {
    const shell = await openUserShell(where.target, env).catch((error: unknown) =>
      Promise.reject(withSshHint(error, where.target)),
    );
    void shell.closed.then(() => (opened = undefined));
    const path = where.path === "" ? await remoteSocket(shell) : where.path;
    return () => shell.dial(path);
  };
  let opened: Promise<() => Promise<Duplex>> | undefined;
  return async () => {
    opened ??= open();
    try {
      return await (
        await opened
      )();
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };
}

/** Here an unknown host key is not pinned by davit: the user's own known_hosts decides. */
function withSshHint(error: unknown, target: string): unknown {
  if (!(error instanceof DavitError) || !error.message.includes("host key is not known")) return error;
  return new DavitError(error.code, error.message, {
    wayOut: `log in once with ssh ${target}, which shows the key and puts it into ~/.ssh/known_hosts`,
    cause: error,
  });
}

async function remoteSocket(shell: {
  exec(argv: readonly string[]): Promise<{ readonly stdout: string }>;
}): Promise<string> {
  const script = `for s in "\${XDG_DATA_HOME:-$HOME/.local/share}/davit/davit.sock" ${INSTALLED_SOCKET}; do [ -S "$s" ] && { echo "$s"; exit 0; }; done`;
  const found = (await shell.exec(["sh", "-c", script])).stdout.trim();
  if (found === "")
    throw new DavitError("unavailable", "find the coordinator there: it has no socket in the usual places", {
      wayOut: "start it (davit up), or name the socket: ssh://user@host/path/davit.sock",
    });
  return found;
}
