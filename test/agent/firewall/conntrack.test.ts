// What is read from the kernel's table of connections, and which are ended.

import { describe, expect, test } from "vitest";
import { asId } from "../../../src/core/model/ids.ts";
import { Conntrack, parseConnections, strayEndpoints } from "../../../workers/agent/network/firewall/conntrack.ts";
import type { CommandEnd, HostCommand } from "../../../workers/agent/network/run-command.ts";
import { endpoint, service, viewOf } from "./views.ts";

const LISTING = [
  "tcp      6 431999 ESTABLISHED src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=8000 src=10.210.1.10 dst=192.0.2.9 sport=8080 dport=40000 [ASSURED] mark=65536 use=1",
  "tcp      6 110 TIME_WAIT src=192.0.2.9 dst=192.0.2.1 sport=40001 dport=8000 src=10.210.1.10 dst=192.0.2.9 sport=8080 dport=40001 [ASSURED] mark=65536 use=1",
  "tcp      6 431999 ESTABLISHED src=10.210.1.10 dst=10.210.224.1 sport=40002 dport=8080 src=10.210.1.10 dst=10.210.1.1 sport=8080 dport=40002 [ASSURED] mark=0 use=1",
  "udp      17 29 src=192.0.2.9 dst=192.0.2.1 sport=5000 dport=9000 [UNREPLIED] src=10.210.1.10 dst=192.0.2.9 sport=9000 dport=5000 mark=65536 use=1",
  "udp      17 29 src=192.0.2.8 dst=192.0.2.1 sport=5000 dport=9000 src=10.210.1.11 dst=192.0.2.8 sport=9000 dport=5000 [ASSURED] mark=65536 use=2",
  "udp      17 29 src=10.210.1.11 dst=10.210.1.12 sport=5000 dport=9000 src=10.210.1.12 dst=10.210.1.11 sport=9000 dport=5000 mark=0 use=1",
  "udp      17 29 src=192.0.2.8 dst=192.0.2.1 sport=53 dport=53 src=172.17.0.2 dst=192.0.2.8 sport=53 dport=53 mark=0 use=1",
  "conntrack v1.4.7 (conntrack-tools): 7 flow entries have been shown.",
].join("\n");

/** Answers `conntrack -L` with the listing, and `-D` as the program does where there was nothing. */
function fakeProgram(
  end: Partial<CommandEnd> = {},
  made: readonly string[] = [],
): { readonly run: HostCommand; readonly calls: string[] } {
  const calls: string[] = [];
  const run: HostCommand = (argv) => {
    calls.push(argv.join(" "));
    const nothing = "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.";
    const state = argv[argv.indexOf("--state") + 1] ?? "";
    const listed = argv.includes("--state")
      ? LISTING.split("\n").filter((line) => line.includes(` ${state} `))
      : [LISTING];
    const usual =
      argv[1] === "-L"
        ? { exitCode: 0, stdout: [...listed, ...made].join("\n"), stderr: "" }
        : { exitCode: 1, stdout: "", stderr: nothing };
    return Promise.resolve({ ...usual, ...end });
  };
  return { run, calls };
}

describe("connections", () => {
  test("are read with who asked for what and who answers", () => {
    expect(parseConnections(LISTING)).toHaveLength(7);
    expect(parseConnections(LISTING)[0]).toMatchObject({
      protocol: "tcp",
      state: "ESTABLISHED",
      from: "192.0.2.9",
      to: "192.0.2.1",
      answeredBy: "10.210.1.10",
    });
  });

  test("are open when they are established and come from outside of the container", async () => {
    expect(await new Conntrack(fakeProgram().run).openTo("10.210.1.10")).toBe(1);
  });

  test("are open, too, while they are being made: what a slow program let fall comes again, to the same endpoint", async () => {
    const attempt = (state: string, leftS: number): string =>
      `tcp      6 ${leftS} ${state} src=192.0.2.9 dst=192.0.2.1 sport=40003 dport=8000 [UNREPLIED] src=10.210.1.10 dst=192.0.2.9 sport=8080 dport=40003 mark=65536 use=1`;
    const openWith = (line: string): Promise<number> =>
      new Conntrack(fakeProgram({}, [line]).run).openTo("10.210.1.10");
    // the program is asked once for each of three states
    expect(await openWith(attempt("SYN_SENT", 112))).toBe(1 + 3);
    expect(await openWith(attempt("SYN_RECV", 52))).toBe(1 + 3);
    expect(await openWith(attempt("SYN_SENT", 110))).toBe(1);
    expect(await openWith(attempt("SYN_RECV", 50))).toBe(1);
  });

  test("by UDP that were led to an endpoint that no door leads to are stray, others are not", () => {
    const connections = parseConnections(LISTING);
    const here = (standing: "in" | "out") =>
      viewOf([service(1, "log", [endpoint("10.210.1.10", { standing }), endpoint("10.210.1.12")])]);
    const byUdp = connections.filter(({ protocol }) => protocol === "udp");
    expect(strayEndpoints(byUdp, here("in"))).toEqual(["10.210.1.11"]);
    expect(strayEndpoints(byUdp, here("out"))).toEqual(["10.210.1.10", "10.210.1.11"]);
  });

  test("that are stray are ended, and it is no fault that one ended meanwhile", async () => {
    const { run, calls } = fakeProgram();
    expect(await new Conntrack(run).sweep(viewOf([]), new Set())).toEqual(["10.210.1.10", "10.210.1.11"]);
    expect(calls).toEqual([
      "conntrack -L -p udp",
      "conntrack -D -p udp --reply-src 10.210.1.10",
      "conntrack -D -p udp --reply-src 10.210.1.11",
    ]);
  });

  test("that nobody answered choose anew where no door leads any more, and where calls are held they stay", async () => {
    const attempt = (address: string): string =>
      `tcp      6 119 SYN_SENT src=192.0.2.9 dst=192.0.2.1 sport=40003 dport=8000 [UNREPLIED] src=${address} dst=192.0.2.9 sport=8080 dport=40003 mark=65536 use=1`;
    const { run, calls } = fakeProgram({}, ["10.210.1.10", "10.210.1.11", "10.210.1.1"].map(attempt));
    const view = viewOf([service(1, "log", [endpoint("10.210.1.10", { standing: "out" }), endpoint("10.210.1.11")])]);
    const held = new Map([[asId<"service">("s2"), { address: "10.210.1.1", ports: new Map([[8080, 17_400]]) }]]);
    const table = new Conntrack(run);
    const stray = await table.strayAttempts({ ...view, activations: held });
    expect(stray.map(({ answeredBy }) => answeredBy)).toEqual(["10.210.1.10"]);
    await table.forgetAttempts(stray);
    expect(calls).toEqual([
      "conntrack -L -p tcp --state SYN_SENT",
      "conntrack -D -p tcp --state SYN_SENT --orig-src 192.0.2.9 --orig-dst 192.0.2.1 --sport 40003 --dport 8000",
    ]);
  });

  test("that wait at one endpoint in great number are forgotten at once", async () => {
    const attempt = (port: number): string =>
      `tcp      6 119 SYN_SENT src=192.0.2.9 dst=192.0.2.1 sport=${port} dport=8000 [UNREPLIED] src=10.210.1.10 dst=192.0.2.9 sport=8080 dport=${port} mark=65536 use=1`;
    const { run, calls } = fakeProgram();
    await new Conntrack(run).forgetAttempts(
      parseConnections(Array.from({ length: 1_000 }, (_, at) => attempt(30_000 + at)).join("\n")),
    );
    expect(calls).toEqual(["conntrack -D -p tcp --state SYN_SENT --reply-src 10.210.1.10"]);
  });

  test("of a thousand addresses that are gone are looked for once, and ended where there are any", async () => {
    const { run, calls } = fakeProgram();
    const gone = new Set(Array.from({ length: 1_000 }, (_, at) => `10.210.${100 + (at >> 8)}.${at & 255}`));
    const view = viewOf([service(1, "log", [endpoint("10.210.1.11")])]);
    expect(await new Conntrack(run).sweep(view, gone.add("10.210.1.10"))).toEqual(["10.210.1.10"]);
    expect(calls).toEqual([
      "conntrack -L",
      "conntrack -D -p tcp --state ESTABLISHED --reply-src 10.210.1.10",
      "conntrack -D -p udp --reply-src 10.210.1.10",
      "conntrack -D -p tcp --state ESTABLISHED --orig-src 10.210.1.10",
    ]);
  });

  test("of an address that is free again are ended both ways, but for what has ended: by its ports another may have begun", async () => {
    const { run, calls } = fakeProgram();
    await new Conntrack(run).forget("10.210.1.10");
    expect(calls).toEqual([
      "conntrack -L --reply-src 10.210.1.10",
      "conntrack -L --orig-src 10.210.1.10",
      "conntrack -D -p tcp --state ESTABLISHED --reply-src 10.210.1.10",
      "conntrack -D -p udp --reply-src 10.210.1.10",
      "conntrack -D -p tcp --state ESTABLISHED --orig-src 10.210.1.10",
    ]);
  });

  test("that have all ended are left to end by themselves", async () => {
    const { run, calls } = fakeProgram({ exitCode: 0, stdout: LISTING.split("\n")[1] ?? "" });
    await new Conntrack(run).forget("10.210.1.10");
    expect(calls.filter((call) => call.includes("-D"))).toEqual([]);
  });

  test("cannot be ended without the program, which is said with its way out", async () => {
    const { run } = fakeProgram({ exitCode: 127, stderr: "spawn conntrack ENOENT" });
    await expect(new Conntrack(run).forget("10.210.1.10")).rejects.toThrow("look for connections of 10.210.1.10");
  });
});
