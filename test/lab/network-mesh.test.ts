// The mesh and its names on three real hosts, of Debian 12 and 13: who reaches whom, what can be seen on the wire, and what goes on when an agent
// is killed, a host reboots without a coordinator, or something else has port 53. Containers are asked, not davit.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TaskView } from "../../src/core/model/views.ts";
import { capture } from "./capture.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { type CommandResult, mustRun } from "./run-command.ts";
import { LabStack } from "./stack.ts";

const lab = testLab();
let cluster: Cluster;
let stack: LabStack;

beforeAll(async () => {
  cluster = await startCluster({ lab, nodes: 3, newer: 2 });
  await pushResolvers();
  stack = new LabStack(cluster, "shop");
  const image = stack.image("v1");
  const quick = { stop_grace_period: "0s" };
  await stack.mustDeploy({
    web: { image, ...quick, deploy: { mode: "global" } },
    glibc: { image: `${lab.registry}/glibc:1`, ...quick, deploy: { mode: "global" } },
    musl: { image: `${lab.registry}/musl:1`, ...quick, deploy: { mode: "global" } },
  });
});
afterAll(async () => {
  await cluster.down();
});

/** Programs that resolve a name by their own library, and sleep until they are asked. */
async function pushResolvers(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "davit-resolvers-"));
  try {
    const source = join(folder, "resolve.c");
    writeFileSync(source, RESOLVE);
    for (const [library, compiler] of [
      ["musl", ["musl-gcc", "-static"]],
      ["glibc", ["gcc"]],
    ] as const) {
      const root = join(folder, library);
      mkdirSync(join(root, "bin"), { recursive: true });
      const program = join(root, "bin", "resolve");
      await mustRun([compiler[0], ...compiler.slice(1), "-o", program, source]);
      if (library === "glibc")
        for (const file of await librariesOf(program)) cpSync(file, join(root, file), { dereference: true });
      await lab.pushImage(`${library}:1`, root, ["/bin/resolve"]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * `resolve NAME` prints its addresses; `resolve get ADDRESS` the page of port 8080; `resolve keep ADDRESS` asks for it ten times within three
 * seconds and prints a line for each time without an answer.
 */
const RESOLVE = `#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
static int get(const char *address, char *page, int room) {
  struct sockaddr_in to;
  struct timeval patience = {2, 0};
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_port = htons(8080);
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) return 0;
  int fd = socket(AF_INET, SOCK_STREAM, 0), size = 0, got;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const char *ask = "GET / HTTP/1.0\\r\\n\\r\\n";
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && write(fd, ask, strlen(ask)) > 0)
    while (size < room - 1 && (got = read(fd, page + size, room - 1 - size)) > 0) size += got;
  close(fd);
  page[size] = 0;
  return size;
}
int main(int argc, char **argv) {
  char page[4096];
  if (argc < 2) for (;;) pause();
  if (argc == 3 && strcmp(argv[1], "get") == 0) {
    if (get(argv[2], page, sizeof page) == 0) return 1;
    printf("%s", page);
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "keep") == 0) {
    for (int i = 0; i < 10; i++) { if (get(argv[2], page, sizeof page) == 0) puts("lost"); usleep(300000); }
    return 0;
  }
  struct addrinfo hints, *all, *one;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  int fault = getaddrinfo(argv[1], "80", &hints, &all);
  if (fault != 0) { printf("%s\\n", gai_strerror(fault)); return 1; }
  for (one = all; one; one = one->ai_next) {
    char text[64];
    inet_ntop(one->ai_family, one->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr
      : (void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr, text, sizeof text);
    printf("%s\\n", text);
  }
  return 0;
}
`;

/** What the loader would load, and what glibc loads by itself to ask a name server. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const said = await mustRun(["ldd", program]);
  const loaded = [...said.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? "");
  const folder = (loaded.find((file) => file.includes("libc.so")) ?? "").replace(/\/libc\.so.*/, "");
  return [...loaded, `${folder}/libnss_dns.so.2`, `${folder}/libnss_files.so.2`, `${folder}/libresolv.so.2`];
}

async function containerOf(node: string, service: string): Promise<string> {
  const [container] = await lab.containers(node, `davit.service=shop_${service}`);
  if (container === undefined) throw new Error(`no container of ${service} on ${node}`);
  return container.Id;
}

/** Runs a command in a service's container on a node, by the engine itself. */
async function inside(node: string, service: string, ...argv: readonly string[]): Promise<CommandResult> {
  const words = argv.map((word) => `'${word}'`).join(" ");
  return await lab.ssh(node, `docker exec ${await containerOf(node, service)} ${words}`);
}

/** The page of a web task, as a container of another service on a node gets it: who asked is in it. */
function pageFrom(node: string, address: string | undefined): Promise<CommandResult> {
  return inside(node, "musl", "/bin/resolve", "get", address ?? "");
}

/** Addresses of a service's tasks by node. */
async function addressesOf(service: string): Promise<ReadonlyMap<string, string>> {
  const tasks = await stack.tasks(service);
  return new Map(tasks.map(({ node = "", address = "" }: TaskView): [string, string] => [node, address]));
}

describe("every pair of containers", () => {
  test("of three hosts with two releases of Debian reaches each other, and sees the other's own address", async () => {
    const [addresses, askers] = [await addressesOf("web"), await addressesOf("musl")];
    for (const from of cluster.nodes)
      for (const to of cluster.nodes) {
        const page = await pageFrom(from, addresses.get(to));
        expect(page.stdout, `${from} to ${to}: ${page.stderr}`).toContain(`client=${askers.get(from)}`);
      }
  });

  test("shows nothing on the wire but the mesh's UDP port", async () => {
    const addresses = await addressesOf("web");
    const seen = await capture(lab, `host ${lab.ip("n1")} and host ${lab.ip("n2")}`, async () => {
      for (let at = 0; at < 5; at++) await pageFrom("n1", addresses.get("n2"));
    });
    const packets = seen.filter((line) => line.includes(" IP "));
    expect(packets.length).toBeGreaterThan(10);
    expect(packets.filter((line) => !/\.51820 > \S+\.51820: UDP/.test(line))).toEqual([]);
    expect(seen.join("\n")).not.toContain("version=v1");
  });

  test("goes on while the agents on both sides are killed: the link is the same one", async () => {
    const addresses = await addressesOf("web");
    const before = await lab.on("n1", "cat /sys/class/net/davit-wg/ifindex");
    const requests = inside("n1", "musl", "/bin/resolve", "keep", addresses.get("n2") ?? "");
    await Promise.all(["n1", "n2"].map((node) => lab.on(node, "systemctl kill -s KILL davit-agent")));
    expect((await requests).stdout).toBe("");
    expect(await lab.on("n1", "cat /sys/class/net/davit-wg/ifindex")).toBe(before);
  });

  test("goes on after the program that encrypts has died", async () => {
    const addresses = await addressesOf("web");
    await lab.on("n3", "systemctl kill -s KILL davit-wireguard");
    const tookMs = await waitUntil("n3 is reached again", 15_000, async () => {
      return (await pageFrom("n1", addresses.get("n3"))).stdout.includes("version=v1");
    });
    expect(tookMs).toBeLessThan(10_000);
  });
});

describe("davit node check", () => {
  test("finds every way good, and tells a closed port from a host that is away", async () => {
    await cluster.coordinator.must(["node", "check", "--all", "--throughput"], { timeoutMs: 120_000 });
    const close =
      "table ip shut { chain c { type filter hook input priority -400; udp dport 51820 drop; }; chain o { type filter hook output priority -400; udp dport 51820 drop; }; }";
    await lab.on("n2", `nft '${close}'`);
    try {
      await lab.on("n2", "systemctl restart davit-wireguard");
      const said = await cluster.coordinator.cli(["node", "check", "n1", "n2"], { timeoutMs: 120_000 });
      expect(said.exitCode).toBe(1);
      expect(said.stdout).toMatch(
        /never shook hands: packets to UDP \S+:51820 get lost|nothing comes back to n1 from n2/,
      );
      expect(said.stdout).toContain("way out: ");
    } finally {
      await lab.on("n2", "nft delete table ip shut");
    }
    await waitUntil("the way is good again", 40_000, async () => {
      const said = await cluster.coordinator.cli(["node", "check", "n1", "n2"], { timeoutMs: 120_000 });
      return said.exitCode === 0;
    });
  });
});

describe("a way that carries less than its links say", () => {
  test("is named by davit node check, and carries what it is given once its way out is followed", async () => {
    const link = (await lab.on("n1", `ip -o route get ${lab.ip("n2")}`)).match(/ dev (\S+)/)?.[1] ?? "";
    const before = await lab.on("n1", `cat /sys/class/net/${link}/mtu`);
    await lab.on(
      "n1",
      "nft 'table ip hole { chain o { type filter hook output priority -400; udp dport 51820 meta length > 1400 drop; }; }'",
    );
    const check = (): Promise<CommandResult> =>
      cluster.coordinator.cli(["node", "check", "n1", "n2"], { timeoutMs: 120_000 });
    try {
      const said = await check();
      expect(said.exitCode).toBe(1);
      expect(said.stdout).toMatch(/packets of \d+ bytes from n1 to n2 get lost, small ones arrive/);
      expect(said.stdout).toContain("ip link set dev LINK mtu 1400");
      await Promise.all(["n1", "n2"].map((node) => lab.on(node, `ip link set dev ${link} mtu 1400`)));
      await waitUntil("the mesh has followed", 90_000, async () => (await check()).exitCode === 0);
    } finally {
      await lab.on("n1", "nft delete table ip hole");
      await Promise.all(["n1", "n2"].map((node) => lab.on(node, `ip link set dev ${link} mtu ${before}`)));
    }
  });
});

describe("names", () => {
  test.each(["glibc", "musl"])(
    "are resolved by %s: short, with tasks., with the stack, and not at all when there is none",
    async (library) => {
      const all = [...(await addressesOf("web")).values()].toSorted();
      for (const name of ["web", "web.shop", "shop_web"])
        expect((await inside("n2", library, "/bin/resolve", name)).stdout.trim()).toMatch(/^10\.210\.2[2-5]\d\.\d+$/);
      for (const name of ["tasks.web", "tasks.web.shop"]) {
        const said = await inside("n2", library, "/bin/resolve", name);
        expect(said.stdout.trim().split("\n").toSorted(), `${library} ${name}`).toEqual(all);
      }
      const started = performance.now();
      const none = await inside("n2", library, "/bin/resolve", "nothing");
      expect(none.exitCode).toBe(1);
      expect(none.stdout).toMatch(/not known|does not resolve|No address/);
      expect(performance.now() - started).toBeLessThan(4_000);
    },
  );

  test("are resolved by busybox, and addresses lead back to them", async () => {
    const addresses = await addressesOf("web");
    const said = await inside("n3", "web", "nslookup", "tasks.web");
    for (const address of addresses.values()) expect(said.stdout).toContain(`Address: ${address}`);
    expect((await inside("n3", "web", "nslookup", addresses.get("n1") ?? "")).stdout).toContain(
      "name = tasks.web.shop",
    );
  });

  test("are resolved while the own agent is killed and restarted: the next node answers", async () => {
    const script = "for i in 1 2 3 4 5 6 7 8; do nslookup web >/dev/null || echo lost; sleep 0.3; done";
    const asked = inside("n1", "web", "sh", "-c", script);
    await lab.on("n1", "systemctl kill -s KILL davit-agent");
    expect((await asked).stdout).toBe("");
  });

  test("are resolved where something else has port 53 of all addresses", async () => {
    await lab.on("n3", "systemctl stop davit-agent");
    const release = await lab.holdPort("n3", "udp", 53);
    try {
      await lab.on("n3", "systemctl start davit-agent");
      await waitUntil("names are led past it", 15_000, async () =>
        (await lab.ssh("n3", "nft list table ip davit_names")).stdout.includes("7353"),
      );
      const said = await inside("n3", "musl", "/bin/resolve", "tasks.web");
      expect(said.stdout.trim().split("\n")).toHaveLength(3);
    } finally {
      release();
    }
    await lab.on("n3", "systemctl restart davit-agent");
    await waitUntil("the port is taken back", 15_000, async () => (await lab.on("n3", "ss -lnu")).includes(":53 "));
  });
});

describe("without a coordinator", () => {
  test("a host that reboots is in the mesh again, with names, before anybody asks it to be", async () => {
    const addresses = await addressesOf("web");
    await cluster.coordinator.stop();
    try {
      await lab.reboot("n2");
      await waitUntil("n2's container is reached again", 40_000, async () => {
        return (await pageFrom("n1", addresses.get("n2"))).stdout.includes("version=v1");
      });
      const said = await inside("n2", "web", "nslookup", "tasks.web");
      expect(said.stdout).toContain(`Address: ${addresses.get("n1")}`);
    } finally {
      await cluster.coordinator.start();
    }
  });
});
