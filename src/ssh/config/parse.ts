// Reads an OpenSSH client configuration (ssh_config(5)) into lines and resolves it for one host, as far as davit needs it: Host, Match host|all,
// HostName, User, Port, IdentityFile, IdentitiesOnly, IdentityAgent, ProxyJump, UserKnownHostsFile, GlobalKnownHostsFile, Include.
// As in ssh, the first value found counts, and IdentityFile adds up. What would change the meaning and is not supported is an error with its line.

import { DavitError } from "../../core/model/errors.ts";
import { matchesPatterns } from "./patterns.ts";

export type ConfigLine = {
  readonly keyword: string;
  readonly values: readonly string[];
  readonly file: string;
  readonly line: number;
};

/** Values for one host, in ssh's own words; paths are not expanded yet. */
export type HostSettings = {
  readonly hostName?: string;
  readonly user?: string;
  readonly port?: number;
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  readonly identityAgent?: string;
  /** "none", or a list as written. */
  readonly proxyJump?: string;
  readonly userKnownHostsFiles?: readonly string[];
  readonly globalKnownHostsFiles?: readonly string[];
};

/** Cuts a file into keyword and values; quotes may hold blanks, `=` may follow the keyword. */
export function parseConfigLines(text: string, file: string): readonly ConfigLine[] {
  return text.split("\n").flatMap((raw, index) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return [];
    const match = /^([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)$/.exec(line);
    const keyword = (match?.[1] ?? line).toLowerCase();
    return [{ keyword, values: splitValues(match?.[2] ?? ""), file, line: index + 1 }];
  });
}

function splitValues(text: string): readonly string[] {
  const words = text.match(/"[^"]*"|\S+/g) ?? [];
  const comment = words.findIndex((word) => word.startsWith("#"));
  return (comment === -1 ? words : words.slice(0, comment)).map((word) =>
    word.startsWith('"') ? word.slice(1, -1) : word,
  );
}

/** Gives the lines of the files that an Include names; the caller reads the disk. */
export type Includer = (pattern: string, from: string) => readonly (readonly ConfigLine[])[];

const MAX_INCLUDE_DEPTH = 16;

/** The settings of `lines` for a host as the user named it. Throws `not_supported` or `invalid_input`, with file and line. */
export function settingsFor(host: string, lines: readonly ConfigLine[], include: Includer): HostSettings {
  const collector = new Collector(host, include);
  collector.read(lines, 0, true);
  return collector.settings();
}

class Collector {
  readonly #host: string;
  readonly #include: Includer;
  readonly #values = new Map<string, readonly string[]>();
  readonly #identityFiles: string[] = [];

  constructor(host: string, include: Includer) {
    this.#host = host;
    this.#include = include;
  }

  read(lines: readonly ConfigLine[], depth: number, activeOutside: boolean): void {
    if (depth > MAX_INCLUDE_DEPTH) throw at(lines[0], "Include is nested too deeply");
    let active = activeOutside;
    for (const line of lines) {
      if (line.keyword === "host") active = activeOutside && matchesPatterns(line.values, this.#host);
      else if (line.keyword === "match") active = activeOutside && this.#matches(line);
      else if (line.keyword === "include") {
        for (const pattern of line.values)
          for (const file of this.#include(pattern, line.file)) this.read(file, depth + 1, active);
      } else if (active) this.#take(line);
    }
  }

  /** `Match all`, `Match host PATTERNS` and `Match originalhost PATTERNS`. */
  #matches(line: ConfigLine): boolean {
    const [...words] = line.values;
    let matched = true;
    while (words.length > 0) {
      const criterion = (words.shift() ?? "").toLowerCase();
      if (criterion === "all") continue;
      if (criterion !== "host" && criterion !== "originalhost") {
        throw at(
          line,
          `Match ${criterion} is not supported`,
          "give user, host and key on davit's own command line, or use Host instead of Match",
        );
      }
      const name = criterion === "host" ? (this.#values.get("hostname")?.[0] ?? this.#host) : this.#host;
      matched = matchesPatterns((words.shift() ?? "").split(","), name) && matched;
    }
    return matched;
  }

  #take(line: ConfigLine): void {
    const [first] = line.values;
    if (first === undefined) {
      if (KEYWORDS.has(line.keyword)) throw at(line, `${line.keyword} has no value`);
      return;
    }
    if (line.keyword === "identityfile") this.#identityFiles.push(first);
    else if (line.keyword === "proxycommand" && first.toLowerCase() !== "none" && !this.#values.has("proxyjump")) {
      throw at(line, `ProxyCommand is not supported for ${this.#host}`, "use ProxyJump");
    } else if (KEYWORDS.has(line.keyword) && !this.#values.has(line.keyword)) {
      if (line.keyword === "port" && !/^\d{1,5}$/.test(first)) throw at(line, `Port ${first} is no port`);
      this.#values.set(line.keyword, line.values);
    }
  }

  settings(): HostSettings {
    const one = (keyword: string): string | undefined => this.#values.get(keyword)?.[0];
    const hostName = one("hostname");
    const user = one("user");
    const port = one("port");
    const identityAgent = one("identityagent");
    const proxyJump = this.#values.get("proxyjump")?.join(",");
    const userKnownHostsFiles = this.#values.get("userknownhostsfile");
    const globalKnownHostsFiles = this.#values.get("globalknownhostsfile");
    return {
      identityFiles: this.#identityFiles,
      identitiesOnly: one("identitiesonly")?.toLowerCase() === "yes",
      ...(hostName === undefined ? {} : { hostName: hostName.replaceAll("%h", this.#host).replaceAll("%%", "%") }),
      ...(user === undefined ? {} : { user }),
      ...(port === undefined ? {} : { port: Number(port) }),
      ...(identityAgent === undefined ? {} : { identityAgent }),
      ...(proxyJump === undefined ? {} : { proxyJump }),
      ...(userKnownHostsFiles === undefined ? {} : { userKnownHostsFiles }),
      ...(globalKnownHostsFiles === undefined ? {} : { globalKnownHostsFiles }),
    };
  }
}

const KEYWORDS = new Set([
  "hostname",
  "user",
  "port",
  "identityfile",
  "identitiesonly",
  "identityagent",
  "proxyjump",
  "userknownhostsfile",
  "globalknownhostsfile",
]);

function at(line: ConfigLine | undefined, message: string, wayOut?: string): DavitError {
  const where = line === undefined ? "" : `${line.file}:${line.line}: `;
  return new DavitError(
    wayOut === undefined ? "invalid_input" : "not_supported",
    `read SSH configuration: ${where}${message}`,
    wayOut === undefined ? {} : { wayOut },
  );
}
