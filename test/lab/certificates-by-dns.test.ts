// Certificates for names that are proved by the DNS, from a real ACME server that asks a real DNS server, by the user's own program.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { CertificateView } from "../../src/core/model/ingress-views.ts";
import { acmeServerOf, startAcmeServer } from "./acme-server.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { mustRun } from "./run-command.ts";
import { LabStack } from "./stack.ts";
import { openTxtZone, type TxtZone } from "./txt-zone.ts";

const lab = testLab();
const { directory, caFile } = acmeServerOf(lab);
let cluster: Cluster;
let zone: TxtZone;

beforeAll(async () => {
  zone = openTxtZone(lab);
  cluster = await startCluster({
    lab,
    nodes: 1,
    up: ["--acme-directory", directory, "--acme-ca", caFile, "--acme-dns-hook", zone.hook],
  });
  await zone.serve();
  await startAcmeServer(lab, { dnsServer: lab.gateway });
});
afterAll(async () => {
  await cluster.down();
  zone.close();
});

async function certificate(host: string): Promise<CertificateView | undefined> {
  const all = await cluster.coordinator.json<readonly CertificateView[]>(["certificate", "ls"]);
  return all.find(({ hosts }) => hosts.includes(host));
}

test("a hook that fails is told with what it said; once it works every host of a wildcard is served by its certificate, and the proof is taken back", async () => {
  const stack = new LabStack(cluster, "dns");
  zone.fail("the provider is on holiday");
  await stack.mustDeploy({
    web: { image: stack.image("v1"), "x-davit": { ingress: [{ host: "*.dns.example.com", port: 8080 }] } },
  });
  await waitUntil(
    "the failure is told",
    60_000,
    async () => (await certificate("*.dns.example.com"))?.trouble !== undefined,
  );
  const failed = await certificate("*.dns.example.com");
  expect(failed?.state).toBe("failing");
  expect(failed?.trouble).toContain("prove _acme-challenge.dns.example.com by DNS");
  expect(failed?.trouble).toContain("exit code 7: the provider is on holiday");

  zone.fail(undefined);
  await cluster.coordinator.must(["certificate", "renew", failed?.name ?? ""]);
  await waitUntil(
    "the certificate is issued",
    60_000,
    async () => (await certificate("*.dns.example.com"))?.state === "valid",
  );
  const issued = await certificate("*.dns.example.com");
  expect(issued?.source).toBe("acme");
  expect(issued?.trouble).toBeUndefined();
  const at = (host: string): string => `${host}:443:${lab.ip("n1")}`;
  for (const host of ["a.dns.example.com", "b.dns.example.com"])
    await waitUntil(`${host} is served`, 30_000, async () => {
      const answer = mustRun(["curl", "-fsS", "--cacert", caFile, "--resolve", at(host), `https://${host}/`]);
      return (await answer.catch(() => "")).includes("version=v1");
    });
  const [present, cleanup] = zone.calls().slice(-2);
  expect(present).toMatch(/^present _acme-challenge\.dns\.example\.com [\w-]{43}$/);
  expect(cleanup).toBe(present?.replace("present", "cleanup"));
  await stack.remove();
});
