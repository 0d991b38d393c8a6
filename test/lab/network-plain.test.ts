// A cluster on one trusted link, without encryption: the same reach, names and client addresses as with it, and everything in clear on the wire.

import { afterAll, beforeAll, expect, test } from "vitest";
import { capture } from "./capture.ts";
import { type Cluster, joinNodes, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { fetchPage, LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 2, up: ["--encryption", "off"] });
});
afterAll(async () => {
  await cluster.down();
});

test("services of two hosts reach each other by name, a published port shows its caller, and nothing of WireGuard is there", async () => {
  const stack = new LabStack(cluster, "plain");
  const on = (node: string): Readonly<Record<string, unknown>> => ({
    image: stack.image("v1"),
    deploy: { placement: { constraints: [`node.hostname == ${node}`] } },
  });
  await stack.mustDeploy({ web: { ...on("n2"), ports: ["8080:8080"] }, asker: on("n1") });
  const [asker] = await stack.tasks("asker");
  const [container] = await lab.containers("n1", "davit.service=plain_asker");
  const pages: string[] = [];
  const seen = await capture(lab, "udp", async () => {
    for (let count = 0; count < 6; count++)
      pages.push(await lab.on("n1", `docker exec ${container?.Id} wget -qO- http://web:8080/`));
  });
  for (const page of pages) expect(page).toContain(`client=${asker?.address}`);
  expect(seen.filter((line) => / > \S+\.7373: /.test(line)).length).toBeGreaterThan(10);
  expect(seen.join("\n")).toContain(`client=${asker?.address}`);
  expect(await lab.on("n1", "ip -br link")).not.toContain("davit-wg");
  for (const node of cluster.nodes) expect(await fetchPage(cluster, node, 8080)).toContain(`client=${lab.gateway}`);
  await cluster.coordinator.must(["node", "check", "--all"], { timeoutMs: 120_000 });
  await stack.remove();
});

test("a host on which something has a published port is refused, nothing of it is changed, and it joins once the port is free", async () => {
  const stack = new LabStack(cluster, "port");
  const deploy = { placement: { constraints: ["node.hostname == n1"] } };
  await stack.mustDeploy({ web: { image: stack.image("v1"), ports: ["8090:8080"], deploy } });
  await cluster.coordinator.must(["node", "rm", "n2"], { timeoutMs: 120_000 });
  const release = await lab.holdPort("n2", "tcp", 8090);
  const join = (): Promise<string> => joinNodes(lab, cluster.coordinator, ["n2"]);
  try {
    const refused = await join().then(
      () => "it joined",
      (error: unknown) => String(error),
    );
    expect(refused).toContain("something on the host has port 8090/tcp, on which every node answers for port_web");
    expect(refused).toContain("ss -lntp 'sport = :8090'");
    expect(await lab.on("n2", "ls /usr/local/bin /etc/systemd/system")).not.toContain("davit");
  } finally {
    release();
  }
  await join();
  await waitUntil("the new node leads to it", 30_000, async () =>
    (await fetchPage(cluster, "n2", 8090).catch(() => "")).includes("version=v1"),
  );
});
