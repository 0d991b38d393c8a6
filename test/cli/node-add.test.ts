// Joins as the command line shows and mends them.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DavitError } from "../../src/core/model/errors.ts";
import type { JoinProgress, JoinRequest } from "../../src/core/model/views.ts";
import { createKeyPair } from "../../src/ssh/key-pair.ts";
import { serve, type Serving } from "../api/serving.ts";
import { Harness, type HarnessOptions, shownBy } from "./harness.ts";

const STEPS: readonly JoinProgress[] = [
  { step: "connect", state: "done", message: "logged in as root", elapsedMs: 50 },
  { step: "engine", state: "started", message: "installing docker.io", elapsedMs: 0 },
  { step: "engine", state: "done", message: "docker.io 20.10 is installed", elapsedMs: 31_000 },
  { step: "agent", state: "skipped", message: "the agent is current", elapsedMs: 10 },
];

type Joining = Serving & {
  readonly cli: Harness;
  readonly requests: JoinRequest[];
  readonly key: string;
  readonly add: (...words: string[]) => Promise<number>;
};

/** A coordinator whose joins fail as `failWith` says for each request. */
async function joining(
  options: HarnessOptions = {},
  failWith: (request: JoinRequest) => DavitError | undefined = () => undefined,
): Promise<Joining> {
  const serving = await serve();
  const { backend, client } = serving;
  const requests: JoinRequest[] = [];
  const joinReally = backend.join.bind(backend);
  backend.join = async (request, onProgress) => {
    requests.push(request);
    backend.joinSteps = STEPS;
    backend.joinFails = failWith(request);
    return await joinReally(request, onProgress);
  };
  const folder = mkdtempSync(join(tmpdir(), "davit-cli-"));
  writeFileSync(`${folder}/key`, createKeyPair("test").privateKey, { mode: 0o600 });
  writeFileSync(`${folder}/config`, "Host web-*\n  User admin\n  Port 2222\n");
  const cli = new Harness({ client, ...options });
  const add = (...words: string[]): Promise<number> =>
    cli.run("node", "add", "--identity", `${folder}/key`, "--ssh-config", `${folder}/config`, ...words);
  return { ...serving, cli, requests, key: `${folder}/key`, add };
}

const unknownKey = new DavitError(
  "ssh_failed",
  "connect to root@n1: its host key is not known: ssh-ed25519 SHA256:abc",
  { wayOut: "compare it" },
);

describe("joining hosts", () => {
  test("several are joined at once, each step a line with its host", async () => {
    const { cli, add, requests, client } = await joining();
    expect(await add("root@10.0.0.11", "web-2", "--label", "disk=ssd")).toBe(0);
    expect(requests.map(({ user, host, port, labels }) => ({ user, host, port, labels }))).toEqual([
      { user: "root", host: "10.0.0.11", port: 22, labels: { disk: "ssd" } },
      { user: "admin", host: "web-2", port: 2222, labels: { disk: "ssd" } },
    ]);
    expect(requests.every(({ identities, identitiesOnly }) => identities.length === 1 && identitiesOnly === true)).toBe(
      true,
    );
    expect(cli.stderr.split("\n").filter((line) => line.startsWith("web-2"))).toEqual([
      "web-2  connect: logged in as root",
      "web-2  engine: docker.io 20.10 is installed (31 s)",
      "web-2  agent: nothing to do: the agent is current",
    ]);
    expect(cli.stdout).toMatch(/^10\.0\.0\.11 \(.*\) is ready\nweb-2 \(.*\) is ready\n$/);
    expect((await client.nodes()).length).toBe(2);
  });

  test("on a terminal finished steps stay and the running ones vanish", async () => {
    const { cli, add } = await joining({ isTerminal: true });
    expect(await add("root@n1", "--name", "first")).toBe(0);
    expect(cli.screen).toContain("root@n1  engine: installing docker.io …");
    expect(shownBy(cli.screen)).toBe(
      [
        "root@n1  connect: logged in as root",
        "root@n1  engine: docker.io 20.10 is installed (31 s)",
        "root@n1  agent: nothing to do: the agent is current",
        "first (10.0.0.11) is ready",
        "",
      ].join("\n"),
    );
  });

  test("a host that fails does not stop the others; all failures come together with their ways out", async () => {
    const { cli, add } = await joining({}, ({ host }) =>
      host === "bad"
        ? new DavitError("preflight_failed", "join bad: 2 problems", {
            details: [{ message: "no systemd" }, { message: "disk is full" }],
            wayOut: "mend them",
          })
        : undefined,
    );
    expect(await add("root@good", "root@bad")).toBe(1);
    expect(cli.stdout).toMatch(/^good .* is ready/);
    expect(cli.stderr).toContain(
      "davit: join: 1 of 2 hosts did not join\n  - root@bad: join bad: 2 problems; mend them\n  - root@bad: no systemd\n  - root@bad: disk is full\n",
    );
    expect(cli.stderr).toContain("run the same command again");
  });

  test("a host that is a node already is left as it is, unless it is known under another address", async () => {
    const details = [{ where: "membership", message: "the host is already node n1 of this cluster" }];
    const { cli, add, backend } = await joining(
      {},
      () =>
        new DavitError("preflight_failed", "join: 1 fault: the host is already node n1 of this cluster", { details }),
    );
    backend.model.node("n1");
    expect(await add("root@10.0.0.11")).toBe(0);
    expect(cli.stderr).toContain("root@10.0.0.11  it is node n1 already and is left as it is\n");
    expect(cli.stdout).toBe("n1 (10.0.0.11) is ready\n");
    expect(await add("root@10.0.0.99")).toBe(1);
  });

  test("an unknown host key is shown and pinned after a yes, one question at a time", async () => {
    const refuse = (request: JoinRequest) => (request.acceptNewHostKey ? undefined : unknownKey);
    const { cli, add, requests } = await joining({ answers: ["y", "no"] }, refuse);
    expect(await add("root@n1", "root@n2")).toBe(1);
    expect(cli.asked).toHaveLength(2);
    expect(cli.asked[0]).toMatch(/SHA256:abc\nAccept and pin this host key\? \[y\/N\] $/);
    expect(requests.filter((request) => request.acceptNewHostKey)).toHaveLength(1);
    expect(cli.stderr).toContain("its host key is not known");
  });

  test("without a terminal an unknown host key is refused unless it was accepted beforehand", async () => {
    const refuse = (request: JoinRequest) => (request.acceptNewHostKey ? undefined : unknownKey);
    const { cli, add } = await joining({}, refuse);
    expect(await add("root@n1")).toBe(1);
    expect(cli.asked).toEqual([]);
    expect(await add("root@n1", "--accept-host-key")).toBe(0);
  });

  test("a sudo password is asked for until it is right, or read from standard input", async () => {
    const check = ({ sudoPassword }: JoinRequest) =>
      sudoPassword === "right"
        ? undefined
        : new DavitError("preflight_failed", "join n1: 1 problem", {
            details: [
              {
                message:
                  sudoPassword === undefined
                    ? "sudo asks admin for a password"
                    : "sudo did not accept admin's password",
              },
            ],
          });
    const asking = await joining({ answers: ["wrong", "right"] }, check);
    expect(await asking.add("admin@n1")).toBe(0);
    expect(asking.cli.asked).toEqual([
      "sudo password of admin on n1: ",
      "that was not it; sudo password of admin on n1: ",
    ]);
    const piped = await joining({ stdin: "right\n" }, check);
    expect(await piped.add("admin@n1", "--sudo-password-stdin")).toBe(0);
    const silent = await joining({}, check);
    expect(await silent.add("admin@n1")).toBe(1);
  });

  test("Ctrl-C stops the joins and says how to go on", async () => {
    const { cli, backend, add } = await joining();
    backend.join = (_request, _onProgress, ...rest: readonly unknown[]) =>
      new Promise((_resolve, reject) => {
        const [signal] = rest as [AbortSignal?];
        signal?.addEventListener("abort", () => reject(new DavitError("unavailable", "stopped on request")));
        setImmediate(() => cli.interrupt());
      });
    expect(await add("root@n1")).toBe(130);
    expect(cli.stderr).toContain("the same command goes on from there");
  });

  test("wrong words are refused before any host is asked", async () => {
    const { cli, add, requests } = await joining();
    expect(await add("root@n1", "root@n2", "--name", "one")).toBe(2);
    expect(await add("root@n1", "--label", "ssd")).toBe(2);
    expect(await add("root@")).toBe(2);
    expect(await cli.run("node", "add", "--identity", "/nonexistent", "root@n1")).toBe(2);
    expect(requests).toEqual([]);
    expect(cli.stderr).toContain("--name names one host");
    expect(cli.stderr).toContain("there is no such file");
  });
});

describe("a key with a passphrase", () => {
  const PASSPHRASE = "correct horse";

  async function locked(type: string): Promise<{ readonly path: string; readonly publicKey: string }> {
    const path = join(mkdtempSync(join(tmpdir(), "davit-key-")), "id");
    const made = Bun.spawnSync(["ssh-keygen", "-q", "-t", type, "-N", PASSPHRASE, "-C", "me@here", "-f", path]);
    expect([made.exitCode, made.stderr.toString()]).toEqual([0, ""]);
    return { path, publicKey: (await Bun.file(`${path}.pub`).text()).split(" ").slice(0, 2).join(" ") };
  }

  /** Refuses requests without the private key. */
  async function keyed(options: HarnessOptions) {
    return await joining(options, ({ identities }) =>
      identities.some((text) => text.includes("PRIVATE KEY"))
        ? undefined
        : new DavitError("ssh_failed", "connect to root@n1: there is no key to offer", { wayOut: "name a key" }),
    );
  }

  test.each(["ed25519", "rsa", "ecdsa"])("is unlocked by a question on the terminal: %s", async (type) => {
    const { publicKeyLine } = await import("../../src/ssh/authentication.ts");
    const { path, publicKey } = await locked(type);
    const { cli, requests } = await keyed({ answers: ["wrong", PASSPHRASE] });
    expect(await cli.run("node", "add", "--identity", path, "root@n1", "root@n2")).toBe(0);
    expect(cli.asked).toEqual(Array(2).fill(`passphrase of ${path} (empty: go on without it): `));
    const given = requests.at(-1)?.identities[0] ?? "";
    expect(given).not.toContain("ENCRYPTED");
    expect(publicKeyLine(given)).toBe(publicKey);
    expect(cli.screen).not.toContain(PASSPHRASE);
  });

  test("is named in the error when there is nobody to ask", async () => {
    const { path } = await locked("ed25519");
    const { cli } = await keyed({});
    expect(await cli.run("node", "add", "--identity", path, "root@n1")).toBe(1);
    expect(cli.stderr).toContain(`${path} has a passphrase: load it into ssh-agent (ssh-add ${path})`);
  });
});
