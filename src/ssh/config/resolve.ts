// From what a user types ("admin@web-1", "10.0.0.11:2222") to what a join needs: host, port, user, keys, hops and the known-hosts lines for each
// of them. Reads the user's own files; imports no ssh2, so the command line stays quick.

import { existsSync, globSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { DavitError } from "../../core/model/errors.ts";
import type { SshTarget } from "../target.ts";
import { knownHostLinesFor } from "./known-hosts.ts";
import { type ConfigLine, type HostSettings, parseConfigLines, settingsFor } from "./parse.ts";

export type Resolved = {
  readonly user: string;
  readonly host: string;
  readonly port: number;
  readonly identities: readonly string[];
  readonly agentSocket?: string;
  readonly identitiesOnly: boolean;
  readonly jump: readonly SshTarget[];
  readonly knownHosts: readonly string[];
  /** Key files that were found but could not be used, with why; to be told if the login fails. */
  readonly skippedKeys: readonly string[];
  /** Key files with a passphrase, as they are: with it, their keys can be added to `identities`. */
  readonly lockedKeys: readonly LockedKey[];
};

export type LockedKey = { readonly path: string; readonly text: string };

export type ResolveOptions = {
  /** Key files named on the command line: then nothing else is offered but them. */
  readonly identityFiles?: readonly string[];
  /** Default: ~/.ssh/config, then /etc/ssh/ssh_config. A file that was named must exist. */
  readonly configFile?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
};

/** ssh's own defaults, in its order. */
const DEFAULT_KEYS = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];
const MAX_HOPS = 8;

/** Splits "[user@]host[:port]"; "[::1]:22" for IPv6 with a port. Throws `invalid_input`. */
export function parseTarget(text: string): {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
} {
  const bare = text.replace(/^ssh:\/\//, "");
  const at = bare.lastIndexOf("@");
  const user = at === -1 ? undefined : bare.slice(0, at);
  const rest = bare.slice(at + 1);
  const match =
    /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(rest) ??
    /^([^:[\]]+)(?::(\d{1,5}))?$/.exec(rest) ??
    /^([0-9a-fA-F:]+)()$/.exec(rest);
  const host = match?.[1];
  const port = match?.[2] === undefined || match[2] === "" ? undefined : Number(match[2]);
  const isSound =
    host !== undefined &&
    !/[\s'"`\\$;/]|^-/.test(host) &&
    user !== "" &&
    (port === undefined || (port > 0 && port < 65_536));
  if (!isSound)
    throw new DavitError("invalid_input", `read host ${JSON.stringify(text)}: it is not [user@]host[:port]`);
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

/** Resolves one target. Throws `invalid_input` or `not_supported`. */
export function resolveTarget(text: string, options: ResolveOptions): Resolved {
  const home = options.home ?? homedir();
  const lines = readConfig(options, home);
  const typed = parseTarget(text);
  const settings = settingsOf(typed.host, lines, home);
  const target = targetOf(typed, settings);
  const jump = hopsOf(typed.host, settings, lines, home, 0);
  const keys = readKeys(options.identityFiles, settings, target, home);
  const agentSocket = agentSocketOf(settings, options.environment, home);
  const hosts = [...jump, target];
  return {
    ...target,
    identities: keys.texts,
    identitiesOnly: settings.identitiesOnly || options.identityFiles !== undefined,
    jump,
    knownHosts: knownHostsOf(settings, hosts, home),
    skippedKeys: keys.skipped,
    lockedKeys: keys.locked,
    ...(agentSocket === undefined ? {} : { agentSocket }),
  };
}

function readConfig(options: ResolveOptions, home: string): readonly ConfigLine[] {
  if (options.configFile !== undefined) return parseConfigLines(readOrThrow(options.configFile), options.configFile);
  return [join(home, ".ssh/config"), "/etc/ssh/ssh_config"].flatMap((file) =>
    existsSync(file) ? resetHost(parseConfigLines(readOrThrow(file), file), file) : [],
  );
}

/** Each file starts outside of any Host block of the file before it. */
function resetHost(lines: readonly ConfigLine[], file: string): readonly ConfigLine[] {
  return [{ keyword: "host", values: ["*"], file, line: 0 }, ...lines];
}

function readOrThrow(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new DavitError("invalid_input", `read ${file}: it cannot be read`, { cause });
  }
}

function settingsOf(host: string, lines: readonly ConfigLine[], home: string): HostSettings {
  return settingsFor(host, lines, (pattern, from) => {
    const base = from.startsWith("/etc/ssh/") ? "/etc/ssh" : from.startsWith(home) ? join(home, ".ssh") : dirname(from);
    const path = expand(pattern, home);
    const files = globSync(isAbsolute(path) ? path : join(base, path)).toSorted();
    return files.map((file) => parseConfigLines(readOrThrow(file), file));
  });
}

function targetOf(
  typed: { readonly user?: string; readonly host: string; readonly port?: number },
  settings: HostSettings,
): SshTarget {
  return {
    user: typed.user ?? settings.user ?? userInfo().username,
    host: settings.hostName ?? typed.host,
    port: typed.port ?? settings.port ?? 22,
  };
}

/** "a,b" means: by a to b to the host. Each hop is resolved by its own Host entries; the first one's own ProxyJump comes before it. */
function hopsOf(
  host: string,
  settings: HostSettings,
  lines: readonly ConfigLine[],
  home: string,
  depth: number,
): readonly SshTarget[] {
  if (settings.proxyJump === undefined || settings.proxyJump.toLowerCase() === "none") return [];
  if (depth >= MAX_HOPS)
    throw new DavitError(
      "invalid_input",
      `resolve ${host}: its ProxyJump goes in a circle, or over more than ${MAX_HOPS} hosts`,
    );
  return settings.proxyJump.split(",").flatMap((text, at) => {
    const typed = parseTarget(text.trim());
    const own = settingsOf(typed.host, lines, home);
    const before = at === 0 ? hopsOf(typed.host, own, lines, home, depth + 1) : [];
    return [...before, targetOf(typed, own)];
  });
}

type Keys = {
  readonly texts: readonly string[];
  readonly skipped: readonly string[];
  readonly locked: readonly LockedKey[];
};

function readKeys(named: readonly string[] | undefined, settings: HostSettings, target: SshTarget, home: string): Keys {
  const texts: string[] = [];
  const skipped: string[] = [];
  const locked: LockedKey[] = [];
  const configured = settings.identityFiles.filter((file) => file.toLowerCase() !== "none");
  const files =
    named ?? (settings.identityFiles.length > 0 ? configured : DEFAULT_KEYS.map((name) => `~/.ssh/${name}`));
  for (const file of files) {
    const path = expand(file, home)
      .replaceAll("%h", target.host)
      .replaceAll("%r", target.user)
      .replaceAll("%u", userInfo().username)
      .replaceAll("%%", "%");
    if (!existsSync(path) && !existsSync(`${path}.pub`)) {
      if (named !== undefined) throw new DavitError("invalid_input", `read SSH key ${path}: there is no such file`);
      continue;
    }
    const text = existsSync(path) ? readOrThrow(path) : "";
    if (text !== "" && !isEncrypted(text)) texts.push(text);
    else if (existsSync(`${path}.pub`)) texts.push(readOrThrow(`${path}.pub`));
    if (!isEncrypted(text)) continue;
    skipped.push(`${path} has a passphrase: load it into ssh-agent (ssh-add ${path})`);
    locked.push({ path, text });
  }
  return { texts, skipped, locked };
}

/** PEM says so in a header; OpenSSH's own form names its cipher at the start (PROTOCOL.key). */
export function isEncrypted(text: string): boolean {
  if (text.includes("ENCRYPTED")) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  const bytes = Buffer.from(body, "base64");
  const cipherAt = "openssh-key-v1\0".length + 4;
  return bytes.subarray(cipherAt, cipherAt + 4).toString("latin1") !== "none";
}

function agentSocketOf(
  settings: HostSettings,
  environment: ResolveOptions["environment"],
  home: string,
): string | undefined {
  const named = settings.identityAgent;
  if (named?.toLowerCase() === "none") return undefined;
  if (named === undefined || named === "SSH_AUTH_SOCK") return environment["SSH_AUTH_SOCK"] || undefined;
  return named.startsWith("$") ? environment[named.slice(1)] : expand(named, home);
}

function knownHostsOf(settings: HostSettings, hosts: readonly SshTarget[], home: string): readonly string[] {
  const own = settings.userKnownHostsFiles ?? ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
  const all = settings.globalKnownHostsFiles ?? ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];
  const texts = [...own, ...all]
    .map((file) => expand(file, home))
    .filter((file) => file !== "none" && existsSync(file))
    .map((file) => readOrThrow(file));
  return [...new Set(texts.flatMap((text) => hosts.flatMap((host) => knownHostLinesFor(text, host))))];
}

function expand(path: string, home: string): string {
  return path.replace(/^~(?=\/|$)/, home).replaceAll("%d", home);
}
