// OpenSSH's configuration and known hosts, as davit reads them.

import { createHmac } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { judgeHostKey, knownHostLinesFor, parseKnownHosts } from "../../src/ssh/config/known-hosts.ts";
import { matchesPattern, matchesPatterns } from "../../src/ssh/config/patterns.ts";
import { isEncrypted, parseTarget, type ResolveOptions, resolveTarget } from "../../src/ssh/config/resolve.ts";

let home = "";

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "davit-home-"));
  mkdirSync(join(home, ".ssh"));
});
afterEach(() => rmSync(home, { recursive: true }));

function put(name: string, text: string): void {
  writeFileSync(join(home, ".ssh", name), text);
}

function options(more: Partial<ResolveOptions> = {}): ResolveOptions {
  return { home, configFile: join(home, ".ssh/config"), environment: {}, ...more };
}

describe("what a user types", () => {
  test("user, host and port are cut apart, IPv6 in brackets", () => {
    expect(parseTarget("admin@web-1:2222")).toEqual({ user: "admin", host: "web-1", port: 2222 });
    expect(parseTarget("10.0.0.11")).toEqual({ host: "10.0.0.11" });
    expect(parseTarget("ssh://root@[fd00::1]:22")).toEqual({ user: "root", host: "fd00::1", port: 22 });
  });

  test.each(["", "@host", "a b", "-oProxyCommand=x", "host:99999", "host;id"])("%j is refused", (text) => {
    expect(() => parseTarget(text)).toThrow("it is not [user@]host[:port]");
  });
});

describe("~/.ssh/config", () => {
  test("the first value counts, and what is typed comes before it", () => {
    put("config", "Host web-*\n  HostName 10.0.0.1\n  User first\n  Port 2201\nHost *\n  User second\n  Port=2202\n");
    expect(resolveTarget("web-1", options())).toMatchObject({ host: "10.0.0.1", user: "first", port: 2201 });
    expect(resolveTarget("typed@web-1:22", options())).toMatchObject({ host: "10.0.0.1", user: "typed", port: 22 });
    expect(resolveTarget("db", options())).toMatchObject({ host: "db", user: "second", port: 2202 });
  });

  test("a pattern with an exclamation mark excludes", () => {
    put("config", "Host *.lan !bad.lan\n  User lan\nHost *\n  User other\n");
    expect(resolveTarget("good.lan", options()).user).toBe("lan");
    expect(resolveTarget("bad.lan", options()).user).toBe("other");
  });

  test("%h in HostName is the name as typed", () => {
    put("config", "Host web\n  HostName %h.example.org\n");
    expect(resolveTarget("web", options()).host).toBe("web.example.org");
  });

  test("key files add up, and those with a passphrase are named instead of sent", () => {
    put("one", "-----BEGIN PRIVATE KEY-----\none\n");
    put("two", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
    put("two.pub", "ssh-rsa AAAA two");
    put("config", "Host *\n  IdentityFile ~/.ssh/one\n  IdentityFile ~/.ssh/two\n  IdentitiesOnly yes\n");
    const resolved = resolveTarget("web", options());
    expect(resolved.identities).toEqual(["-----BEGIN PRIVATE KEY-----\none\n", "ssh-rsa AAAA two"]);
    expect(resolved.identitiesOnly).toBe(true);
    expect(resolved.skippedKeys).toEqual([
      `${home}/.ssh/two has a passphrase: load it into ssh-agent (ssh-add ${home}/.ssh/two)`,
    ]);
  });

  test("an identity from the command line is the only one offered", () => {
    put("config", "Host *\n  IdentityFile ~/.ssh/one\n");
    put("one", "one");
    put("mine", "mine");
    const resolved = resolveTarget("web", options({ identityFiles: [join(home, ".ssh/mine")] }));
    expect(resolved.identities).toEqual(["mine"]);
    expect(resolved.identitiesOnly).toBe(true);
    expect(() => resolveTarget("web", options({ identityFiles: ["/no/such"] }))).toThrow("there is no such file");
  });

  test("ProxyJump gives the hops in order, each by its own entries, chains included", () => {
    put(
      "config",
      "Host inner\n  ProxyJump outer\nHost outer\n  HostName 192.0.2.1\n  User jumper\n  ProxyJump edge:2022\nHost edge\n  User e\nHost two\n  ProxyJump a@x,b@y:23\n",
    );
    expect(resolveTarget("root@inner", options()).jump).toEqual([
      { user: "e", host: "edge", port: 2022 },
      { user: "jumper", host: "192.0.2.1", port: 22 },
    ]);
    expect(resolveTarget("two", options()).jump).toEqual([
      { user: "a", host: "x", port: 22 },
      { user: "b", host: "y", port: 23 },
    ]);
  });

  test("a ProxyJump that goes in a circle is refused", () => {
    put("config", "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
    expect(() => resolveTarget("a", options())).toThrow("goes in a circle");
  });

  test("Include reads other files, relative to ~/.ssh, inside of the block where it stands", () => {
    mkdirSync(join(home, ".ssh/conf.d"));
    put("conf.d/10-web", "User included\n");
    put("config", "Host web\n  Include conf.d/*\nHost *\n  User other\n");
    expect(resolveTarget("web", options()).user).toBe("included");
    expect(resolveTarget("db", options()).user).toBe("other");
  });

  test("Match host is understood, other criteria are refused with file and line", () => {
    put("config", "Host short\n  HostName real.lan\nMatch host *.lan\n  User lan\n");
    expect(resolveTarget("short", options()).user).toBe("lan");
    put("config", "\nMatch exec true\n  User x\n");
    expect(() => resolveTarget("short", options())).toThrow(/config:2: Match exec is not supported/);
  });

  test("ProxyCommand is refused for the host that would use it, and for no other", () => {
    put("config", "Host tunnel\n  ProxyCommand nc %h %p\n");
    expect(() => resolveTarget("tunnel", options())).toThrow("ProxyCommand is not supported for tunnel");
    expect(resolveTarget("web", options()).host).toBe("web");
  });

  test("the agent's socket is the environment's unless IdentityAgent says otherwise", () => {
    put("config", "Host none\n  IdentityAgent none\nHost own\n  IdentityAgent ~/agent.sock\n");
    const environment = { SSH_AUTH_SOCK: "/tmp/agent" };
    expect(resolveTarget("web", options({ environment })).agentSocket).toBe("/tmp/agent");
    expect(resolveTarget("none", options({ environment })).agentSocket).toBeUndefined();
    expect(resolveTarget("own", options({ environment })).agentSocket).toBe(`${home}/agent.sock`);
  });

  test("known-hosts lines of the host and its hops go along, and no others", () => {
    put("config", "Host web\n  ProxyJump edge\n");
    put("known_hosts", "web ssh-ed25519 AAAAweb\nother ssh-ed25519 AAAAother\nedge ssh-ed25519 AAAAedge\n");
    expect(resolveTarget("web", options()).knownHosts).toEqual([
      "edge ssh-ed25519 AAAAedge",
      "web ssh-ed25519 AAAAweb",
    ]);
  });

  test("an OpenSSH key is known to be encrypted by its cipher", () => {
    const keyWith = (cipher: string): string => {
      const name = Buffer.from(cipher);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(name.length);
      const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), length, name, Buffer.alloc(40)]).toString("base64");
      return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
    };
    expect(isEncrypted(keyWith("none"))).toBe(false);
    expect(isEncrypted(keyWith("aes256-ctr"))).toBe(true);
  });
});

describe("known hosts", () => {
  const address = { host: "web", port: 22 };

  test("a known key is known, another one of the same host changed, and none unknown", () => {
    const entries = parseKnownHosts("# comment\nweb,10.0.0.1 ssh-ed25519 AAAAone comment\n");
    expect(judgeHostKey(entries, address, "AAAAone")).toEqual({ kind: "known" });
    expect(judgeHostKey(entries, { host: "10.0.0.1", port: 22 }, "AAAAone")).toEqual({ kind: "known" });
    expect(judgeHostKey(entries, address, "AAAAtwo")).toEqual({ kind: "changed", expected: ["AAAAone"] });
    expect(judgeHostKey(entries, { host: "db", port: 22 }, "AAAAone")).toEqual({ kind: "unknown" });
  });

  test("another port is another host", () => {
    const entries = parseKnownHosts("[web]:2222 ssh-ed25519 AAAAone");
    expect(judgeHostKey(entries, { host: "web", port: 2222 }, "AAAAone").kind).toBe("known");
    expect(judgeHostKey(entries, address, "AAAAone").kind).toBe("unknown");
  });

  test("hashed names are compared by their hash", () => {
    const salt = Buffer.from("salty salt salted 20");
    const hash = createHmac("sha1", salt).update("[web]:2222").digest("base64");
    const entries = parseKnownHosts(`|1|${salt.toString("base64")}|${hash} ssh-ed25519 AAAAone`);
    expect(judgeHostKey(entries, { host: "web", port: 2222 }, "AAAAone").kind).toBe("known");
    expect(judgeHostKey(entries, address, "AAAAone").kind).toBe("unknown");
  });

  test("a revoked key is refused even where it is known too", () => {
    const entries = parseKnownHosts("web ssh-ed25519 AAAAone\n@revoked * ssh-ed25519 AAAAone\n");
    expect(judgeHostKey(entries, address, "AAAAone")).toEqual({ kind: "revoked" });
  });

  test("authorities of certificates say nothing of a plain key", () => {
    const entries = parseKnownHosts("@cert-authority * ssh-ed25519 AAAAca\n");
    expect(judgeHostKey(entries, address, "AAAAca")).toEqual({ kind: "unknown" });
  });

  test("lines of a host are found with wildcards too", () => {
    expect(knownHostLinesFor("*.lan ssh-ed25519 AAAA\nweb ssh-ed25519 BBBB", { host: "a.lan", port: 22 })).toEqual([
      "*.lan ssh-ed25519 AAAA",
    ]);
  });
});

test("patterns know only * and ?", () => {
  expect(matchesPattern("10.0.?.*", "10.0.1.200")).toBe(true);
  expect(matchesPattern("10.0.?.*", "10a0.1.200")).toBe(false);
  expect(matchesPatterns(["*", "!x"], "x")).toBe(false);
});
