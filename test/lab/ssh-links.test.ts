// The coordinator's connections to real nodes on a slow line, and through each other.

import { afterAll, beforeAll, expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import { BULK_KEEP_ALIVE, connect, CONTROL_KEEP_ALIVE, type KeepAlive } from "../../src/ssh/connection.ts";
import { SshHostShell } from "../../src/ssh/host-shell.ts";
import { NodeLinks, type NodeTarget } from "../../src/ssh/node-links.ts";
import { clusterKey, gates, join, lab, newHost, userKey } from "./ssh-lab.ts";

/** A beat every 2 s and a lease of 6 s leave this much for one round trip. */
const MAX_ROUND_TRIP_MS = 2_000;
const links = new NodeLinks({ privateKey: clusterKey, gates });
const nodes: NodeTarget[] = [];

beforeAll(async () => {
  for (const name of ["linka", "linkb"]) {
    const address = await newHost(name);
    const { hostKey } = await join({ host: address });
    nodes.push({ id: asId(name), name, address: { host: address, port: 22 }, hostKey, jump: [] });
  }
});

afterAll(async () => {
  links.close();
  await lab.destroy("linka", "linkb");
});

function nodeAt(index: number): NodeTarget {
  const node = nodes[index];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  return node;
}

async function shellOn(node: NodeTarget, keepAlive: KeepAlive): Promise<SshHostShell> {
  const target = { user: "root", ...node.address };
  const hop = {
    target,
    credentials: { identities: [userKey()] },
    hostKeyRule: { kind: "pinned", hostKey: node.hostKey },
  } as const;
  const connection = await connect([hop], { gates, keepAlive, connectTimeoutMs: 5_000, handshakeTimeoutMs: 10_000 });
  return new SshHostShell(connection, { rootAccess: "is-root" });
}

test("four uploads at once on a slow line leave the control connection responsive", async () => {
  const node = nodeAt(0);
  await lab.shape(node.name, 40, 5, 1);
  const bulk = await shellOn(node, BULK_KEEP_ALIVE);
  const control = await shellOn(node, CONTROL_KEEP_ALIVE);
  const content = new Uint8Array(4_000_000).fill(7);
  const state = { isUploading: true };
  const uploads = Promise.all([1, 2, 3, 4].map((count) => bulk.upload(`/root/up-${count}`, content, { mode: 0o600 })));
  const ended = uploads.finally(() => (state.isUploading = false));
  const roundTripsMs: number[] = [];
  while (state.isUploading) {
    const startMs = performance.now();
    await control.exec(["true"]);
    roundTripsMs.push(performance.now() - startMs);
  }
  await ended;
  expect(roundTripsMs.length).toBeGreaterThan(3);
  expect(Math.max(...roundTripsMs)).toBeLessThan(MAX_ROUND_TRIP_MS);
  expect(await lab.on(node.name, "sha256sum /root/up-* | cut -c1-64 | sort -u | wc -l")).toBe("1");
  await lab.unshape(node.name);
  await Promise.all([bulk.close(), control.close()]);
});

test("a node is reached through another one, with its own host key checked", async () => {
  const stream = await links.control(nodeAt(1), nodeAt(0));
  const frame = await new Promise((resolve) => stream.onFrame(resolve));
  expect(frame).toMatchObject({ type: "challenge" });
  stream.close("done");
  expect(await links.isReachableVia({ ...nodeAt(1), hostKey: nodeAt(0).hostKey }, nodeAt(0))).toBe(false);
});

test("a node that is cut from the others is not reachable through them", async () => {
  await lab.cut("linkb");
  expect(await links.isReachableVia(nodeAt(1), nodeAt(0))).toBe(false);
  await lab.heal();
  expect(await links.isReachableVia(nodeAt(1), nodeAt(0))).toBe(true);
});

test("a node whose link is cut ends its control stream within a lease and a second", async () => {
  const stream = await links.control(nodeAt(1));
  stream.onFrame(() => undefined);
  const ended = new Promise<string>((resolve) => stream.onClose(resolve));
  const startMs = performance.now();
  await lab.cut("linkb", "all");
  expect(await ended).toBe("the host stopped answering");
  expect(performance.now() - startMs).toBeLessThan(7_500);
  await lab.heal();
});
