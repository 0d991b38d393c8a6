// davit node check: which ways are measured, what is shown of them, and how it ends.

import { describe, expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import type { PeerCheckView } from "../../src/core/model/peer-check.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import { serve, type Serving } from "../api/serving.ts";
import { Harness } from "./harness.ts";

async function three(): Promise<Serving & { readonly cli: Harness; readonly asked: string[] }> {
  const serving = await serve();
  for (const name of ["n1", "n2", "n3"]) serving.backend.model.node(name);
  const asked: string[] = [];
  const measure = serving.backend.measurePeer.bind(serving.backend);
  serving.backend.measurePeer = (id, peer, withStream) => {
    asked.push(`${id} ${peer}`);
    return measure(id, peer, withStream);
  };
  return { ...serving, asked, cli: new Harness({ client: serving.client, nowMs: serving.backend.nowMs() }) };
}

describe("node check", () => {
  test("of all nodes measures every way in both directions, of one those from and to it, of two those between them", async () => {
    const { cli, asked } = await three();
    expect(await cli.run("node", "check", "--all")).toBe(0);
    expect(asked.splice(0)).toEqual(["n1 n2", "n1 n3", "n2 n1", "n2 n3", "n3 n1", "n3 n2"]);
    expect(await cli.run("node", "check", "n2")).toBe(0);
    expect(asked.splice(0)).toEqual(["n1 n2", "n2 n1", "n2 n3", "n3 n2"]);
    expect(await cli.run("node", "check", "n1", "n3")).toBe(0);
    expect(asked).toEqual(["n1 n3", "n3 n1"]);
  });

  test("shows what was measured, and what is wrong in words with the way out, and ends with an error", async () => {
    const { cli, backend } = await three();
    const good = backend.measureOf;
    backend.measureOf = (peer) =>
      peer === asId("n3")
        ? { ...good(peer), name: "n3", full: { sent: 5, back: 0, bytes: 1_420 } }
        : { ...good(peer), bitsPerSecond: 940e6 };
    expect(await cli.run("node", "check", "n1", "n2", "--throughput")).toBe(0);
    expect(cli.stdout).toMatch(/^n1 +n2 +good +0\.40 ms +0 % +1420 +940 Mbit\/s$/m);
    expect(await cli.run("node", "check", "n1", "n3")).toBe(1);
    expect(cli.stdout).toMatch(/^n1 +n3 +bad +0\.40 ms +0 % +1420 lost +-$/m);
    expect(cli.stdout).toContain("packets of 1420 bytes from n1 to n3 get lost");
    expect(cli.stdout).toContain("  way out: lower the MTU");
  });

  test("goes on past a node that cannot be asked", async () => {
    const { cli, backend, asked } = await three();
    const measure = backend.measurePeer.bind(backend);
    backend.measurePeer = (id, peer, withStream) =>
      id === asId("n1")
        ? Promise.reject(new DavitError("unavailable", "call the agent of n1: it is away"))
        : measure(id, peer, withStream);
    expect(await cli.run("node", "check", "n1", "n2", "--json")).toBe(1);
    const checks = JSON.parse(cli.stdout) as readonly PeerCheckView[];
    expect(checks.map(({ from, verdict }) => `${from} ${verdict}`)).toEqual(["n1 bad", "n2 good"]);
    expect(checks[0]?.problem).toBe("n1 could not be asked: call the agent of n1: it is away");
    expect(asked).toEqual(["n2 n1"]);
  });

  test("of nothing, of one node alone, and of a node that is not there says what to do", async () => {
    const { cli } = await three();
    expect(await cli.run("node", "check")).toBe(2);
    expect(cli.stderr).toContain("davit node check --all");
    expect(await cli.run("node", "check", "n9")).toBe(3);
    const alone = await serve();
    alone.backend.model.node("n1");
    const lonely = new Harness({ client: alone.client, nowMs: alone.backend.nowMs() });
    expect(await lonely.run("node", "check", "--all")).toBe(2);
    expect(lonely.stderr).toContain("there is only one");
  });
});
