// The lab itself: what every other lab test takes for granted.

import { afterAll, beforeAll, expect, test } from "vitest";
import { testLab } from "./lab.ts";

const lab = testLab();

beforeAll(async () => {
  await lab.down();
  await lab.up(2, "ready");
  await lab.registryUp();
});
afterAll(() => lab.down());

/** Whether one host's packets reach another, or this machine. */
async function reaches(host: string, address: string): Promise<boolean> {
  const result = await lab.ssh(host, `ping -c 1 -W 1 ${address} >/dev/null`);
  return result.exitCode === 0;
}

test("a ready host has systemd as its first process and an engine that answers", async () => {
  expect(await lab.on("n1", "cat /proc/1/comm; systemctl is-active docker ssh")).toBe("systemd\nactive\nactive");
  expect(await lab.containers("n1", "davit.service", true)).toEqual([]);
});

test("two hosts are two machines", async () => {
  const identity = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; hostname";
  expect(await lab.on("n1", identity)).not.toBe(await lab.on("n2", identity));
});

test("a cut takes one host from the others, and heals", async () => {
  expect(await reaches("n1", lab.ip("n2"))).toBe(true);
  await lab.cut("n2");
  expect(await reaches("n1", lab.ip("n2"))).toBe(false);
  expect(await reaches("n2", lab.gateway)).toBe(true);
  await lab.heal();
  expect(await reaches("n1", lab.ip("n2"))).toBe(true);
});

test("a host that lost its power keeps its disk and boots as anew", async () => {
  const bootId = "cat /proc/sys/kernel/random/boot_id";
  const before = await lab.on("n2", `${bootId}; echo kept > /root/file; sync`);
  await lab.crash("n2");
  await lab.start("n2");
  await lab.wait("n2");
  expect(await lab.on("n2", "cat /root/file")).toBe("kept");
  expect(await lab.on("n2", bootId)).not.toBe(before);
});

test("an image of the lab's registry runs, pulled over TLS", async () => {
  const page = `docker run -d --name web -p 8080:8080 ${lab.registry}/web:v1 >/dev/null && sleep 0.5 && curl -sS --retry 5 --retry-all-errors http://127.0.0.1:8080/`;
  expect(await lab.on("n1", page)).toContain("version=v1");
});
