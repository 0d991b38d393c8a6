// Packet rules in the kernels of three hosts: service addresses, published ports with the client's own address, isolation, and what is left of
// them when somebody takes rules away. The agent's own parts make them, from views that the tests write.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asId } from "../../src/core/model/ids.ts";
import type { ServiceRoutes } from "../../src/core/model/routes.ts";
import { planFirewall } from "../../workers/agent/network/firewall/plan-firewall.ts";
import { renderDifference, renderRuleset } from "../../workers/agent/network/firewall/ruleset.ts";
import { anyServices } from "../agent/firewall/any-services.ts";
import { activationsOf, endpoint, FACTS, inNetworks, service, viewOf } from "../agent/firewall/views.ts";
import { waitUntil } from "./cluster.ts";
import { testLab } from "./lab.ts";
import { type Answer, NetworkHosts } from "./network/hosts.ts";
import { ALL, closed, db, one, other, spread, web } from "./network/services.ts";
import { mustRun } from "./run-command.ts";

const lab = testLab();
const hosts = new NetworkHosts(lab, 3);
function make(services: readonly ServiceRoutes[] = ALL): Promise<readonly number[]> {
  return hosts.make(services, ["internal"]);
}

beforeAll(async () => {
  await hosts.up();
  await hosts.startKeeping();
  await make();
  await Promise.all([web, other, one, closed, db].map((each) => hosts.run(each)));
});
afterAll(() => lab.down());

async function many(count: number, ask: () => Promise<Answer>): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < count; at++) answers.push(await ask());
  return answers;
}

describe("a service's address", () => {
  test("leads containers and hosts to every endpoint, and the endpoint sees the caller", async () => {
    const answers = await many(24, () => hosts.from("one-n3", "10.210.224.1", 8_080));
    expect(new Set(answers.map(({ host }) => host))).toEqual(new Set(["web-n1", "web-n2", "web-n3"]));
    expect(new Set(answers.map(({ client }) => client))).toEqual(new Set(["10.210.3.12"]));
    for (const name of hosts.names) expect((await hosts.fromHost(name, "10.210.224.3", 8_080)).host).toBe("one-n3");
    expect((await hosts.from("web-n1", "10.210.224.3", 9_000, "udp")).host).toBe("one-n3");
  });

  test("leads a container to itself", async () => {
    expect((await hosts.from("one-n3", "10.210.224.3", 8_080)).host).toBe("one-n3");
    expect((await hosts.from("one-n3", "10.210.224.3", 9_000, "udp")).host).toBe("one-n3");
  });

  test("by client leads the same caller to the same endpoint, from every port", async () => {
    const answers = await many(8, () => hosts.from("other-n1", "10.210.224.2", 8_080));
    expect(new Set(answers.map(({ host }) => host)).size).toBe(1);
    expect(answers[0]?.said).toBe("answered");
  });

  test("without an endpoint refuses at once, from containers and from hosts", async () => {
    const found = [
      await hosts.from("web-n1", "10.210.224.6", 8_080),
      await hosts.from("web-n1", "10.210.224.6", 8_080, "udp"),
      await hosts.fromHost("n1", "10.210.224.6", 8_080),
      // the kernel tells a program of the host that its packet was not let out
      await hosts.fromHost("n1", "10.210.224.6", 8_080, "udp"),
    ];
    expect(found.map(({ said }) => said)).toEqual(["refused", "refused", "refused", "unreachable"]);
    expect(Math.max(...found.map(({ tookMs }) => tookMs))).toBeLessThan(500);
  });

  test("leads to its endpoints in the shares that their weights give", async () => {
    const [first, second] = [endpoint("10.210.1.10", { weight: 90 }), endpoint("10.210.2.10", { weight: 10 })];
    await make([{ ...web, endpoints: [first, second, endpoint("10.210.3.10", { weight: 0 })] }, one]);
    const script = "for i in $(seq 300); do origin call tcp 10.210.224.1 8080; done | cut -d' ' -f1 | sort | uniq -c";
    const counts = Object.fromEntries(
      (await lab.on("n2", script)).split("\n").map((line) => line.trim().split(" host=").toReversed()),
    ) as Readonly<Record<string, string>>;
    expect(counts["web-n3"]).toBeUndefined();
    expect(Number(counts["web-n2"])).toBeGreaterThan(10);
    expect(Number(counts["web-n2"])).toBeLessThan(60);
    await make();
  });
});

describe("isolation", () => {
  const ADDRESSES = { web: "10.210.224.1", other: "10.210.224.2", closed: "10.210.224.4", db: "10.210.224.5" } as const;

  test.each([
    ["web-n1", web, "answered"],
    ["web-n1", other, "refused"],
    ["other-n2", other, "answered"],
    ["other-n2", web, "refused"],
    ["closed-n1", closed, "answered"],
    ["closed-n1", web, "refused"],
    ["web-n2", closed, "refused"],
    ["web-n1", db, "answered"],
    ["one-n3", db, "refused"],
  ] as const)("%s to service %#: by address on every host and by the service's address", async (from, to, expected) => {
    const addresses = [
      ...to.endpoints.map(({ address }) => address),
      ADDRESSES[to.shortName as keyof typeof ADDRESSES],
    ];
    const found = await Promise.all(addresses.map((address) => hosts.from(from, address, 8_080)));
    expect(found.map(({ said }) => said)).toEqual(addresses.map(() => expected));
  });

  test("a policy names ports: others of the same service are closed to the same caller", async () => {
    expect((await hosts.from("web-n1", "10.210.2.14", 9_000, "udp")).said).toBe("refused");
    expect((await hosts.from("one-n3", "10.210.2.12", 9_000, "udp")).said).not.toBe("answered");
  });

  test("an internal network has no way out, others have", async () => {
    expect((await hosts.from("web-n1", lab.gateway, 5_000)).said).not.toMatch(/refused|silent|unreachable/);
    expect((await hosts.from("closed-n1", lab.gateway, 5_000)).said).toBe("refused");
  });

  test("containers reach nothing of a host but what it publishes: not SSH, the mesh, nor whatever listens", async () => {
    await lab.on("n1", "systemd-run --quiet --collect --unit=listener origin; systemctl is-active listener");
    for (const address of ["10.210.1.1", "10.210.0.1", lab.ip("n1")]) {
      for (const port of [22, 8_080]) expect((await hosts.from("web-n1", address, port)).said).toBe("refused");
    }
    for (const address of ["10.210.0.2", "10.210.2.1"]) {
      expect((await hosts.from("web-n1", address, 22)).said).toBe("refused");
    }
    expect((await hosts.fromOutside(lab.ip("n1"), 8_080)).said).toBe("answered");
    await lab.on("n1", "systemctl stop listener");
  });

  test("a packet under a false address arrives nowhere", async () => {
    const spoof = (source: string, to: string) => lab.on("n1", `docker exec web-n1 origin spoof ${source} ${to} 9000`);
    const heard = async (name: string) => await lab.on(name.split("-").at(-1) ?? "", `docker logs ${name} 2>&1`);
    expect(await spoof("10.210.1.10", "10.210.2.10")).toBe("sent");
    await waitUntil("the true one arrives", 5_000, async () =>
      (await heard("web-n2")).includes("spoofed as 10.210.1.10"),
    );
    await hosts.untilSeated("n1");
    // the last one is a container's that stands beside it, and may call whom it may
    for (const source of ["10.210.1.1", "10.210.0.1", "10.210.2.11", "192.0.2.1", "10.210.1.14"]) {
      await spoof(source, "10.210.2.10");
      await spoof(source, "10.210.1.11");
    }
    await spoof("10.210.1.10", "10.210.2.10");
    await waitUntil(
      "a later true one arrives",
      5_000,
      async () => (await heard("web-n2")).split("spoofed").length >= 3,
    );
    expect(await heard("web-n2")).not.toMatch(/spoofed as (?!10\.210\.1\.10(\n|$))/);
    expect(await heard("other-n1")).not.toContain("spoofed");
  });

  test.each(["n1", "n3"])(
    "a container of %s cannot claim its neighbour's address, also after restarts",
    async (node) => {
      const [own, victim, address] = [`other-${node}`, `web-${node}`, `10.210.${node.slice(1)}.10`];
      const trueMac = await hosts.macOf(victim);
      await hosts.untilSeated(node);
      // nobody keeps the ports here: the claim is believed, or the look below would be worth nothing
      await lab.on(node, "systemctl stop keep-view; nft delete table bridge davit");
      await waitUntil("it is believed", 20_000, async () => (await hosts.claim(own, address)) !== trueMac);
      await hosts.keepOn(node);
      await hosts.untilSeated(node);
      for (let at = 0; at < 3; at++) expect(await hosts.claim(own, address)).toBe(trueMac);
      await lab.on(node, "nft delete table bridge davit");
      await hosts.untilSeated(node);
      await lab.on(node, `docker restart -t 0 ${own}`);
      await hosts.untilSeated(node);
      expect(await hosts.claim(own, address)).toBe(trueMac);
      expect((await hosts.from(own, "10.210.224.2", 8_080)).said).toBe("answered");
    },
  );

  test("a host whose rules are old lets less through, not more", async () => {
    await lab.on("n2", "systemctl stop keep-view");
    const late = spread(7, "late", 17, {}, [1]);
    await hosts.run(late);
    await lab
      .on("n1", "docker exec late-n1 origin call tcp 10.210.2.10 8080")
      .then((line) => expect(line).toMatch(/^silent/));
    await hosts.keepOn("n2");
    await make([...ALL, late]);
    expect((await hosts.from("late-n1", "10.210.2.10", 8_080)).said).toBe("answered");
    await lab.on("n1", "docker rm -f late-n1");
    await make();
  });
});

describe("a published port", () => {
  test.each(["tcp", "udp"] as const)(
    "answers on every node, and the container sees the client outside, wherever it entered: %s",
    async (protocol) => {
      const [spreadPort, onePort] = protocol === "tcp" ? [8_000, 8_003] : [9_000, 9_003];
      for (const name of hosts.names) {
        const answers = await many(9, () => hosts.fromOutside(lab.ip(name), spreadPort, protocol));
        expect(new Set(answers.map(({ client }) => client))).toEqual(new Set([lab.gateway]));
        const far = await hosts.fromOutside(lab.ip(name), onePort, protocol);
        expect([far.host, far.client]).toEqual(["one-n3", lab.gateway]);
      }
    },
  );

  test.each(["tcp", "udp"] as const)(
    "a node as client sees itself or the node that it called: %s",
    async (protocol) => {
      for (const from of hosts.names) {
        for (const to of hosts.names) {
          const answer = await hosts.fromHost(from, lab.ip(to), protocol === "tcp" ? 8_003 : 9_003, protocol);
          const number = to.slice(1);
          expect(answer.host).toBe("one-n3");
          expect([lab.ip(from), `10.210.0.${number}`, `10.210.${number}.1`]).toContain(answer.client);
        }
      }
    },
  );

  test("containers reach it at their own node with their own address, and at others; one of them may be itself", async () => {
    for (const container of ["web-n1", "other-n1", "other-n3"]) {
      const number = container.slice(-1);
      const answer = await hosts.from(container, lab.ip(`n${number}`), 8_003);
      expect([answer.host, answer.client]).toEqual([
        "one-n3",
        `10.210.${number}.${container.startsWith("web") ? 10 : 11}`,
      ]);
    }
    expect((await hosts.from("web-n1", lab.ip("n2"), 8_003)).host).toBe("one-n3");
    expect((await hosts.from("one-n3", lab.ip("n3"), 8_003)).host).toBe("one-n3");
    expect((await hosts.from("one-n3", lab.ip("n1"), 8_003)).host).toBe("one-n3");
  });

  test("at 127.0.0.1 answers the host itself and nobody else", async () => {
    for (const name of hosts.names) {
      const answers = await many(6, () => hosts.fromHost(name, "127.0.0.1", 5_432));
      expect(answers.map(({ said }) => said)).toEqual(Array.from({ length: 6 }, () => "answered"));
      expect((await hosts.fromHost(name, "127.0.0.1", 9_003, "udp")).host).toBe("one-n3");
      expect((await hosts.fromHost(name, lab.ip(name), 5_432)).said).toBe("refused");
      expect((await hosts.fromOutside(lab.ip(name), 5_432)).said).toBe("refused");
    }
    expect((await hosts.from("web-n1", lab.ip("n1"), 5_432)).said).toBe("refused");
  });

  test("entered at two nodes from one port of a client leads to one container by two connections", async () => {
    const [first, second] = [lab.ip("n1"), lab.ip("n2")];
    const script = `
import socket
def tcp(host):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.settimeout(5)
    s.bind(("", 45678)); s.connect((host, 8003)); return s
def ask(s):
    s.send(b"GET / HTTP/1.1\\r\\n\\r\\n"); return s.recv(1000).split()[-1].decode()
a, b = tcp("${first}"), tcp("${second}")
print(ask(a), ask(b), ask(a), ask(b))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5); u.bind(("", 45679))
for host in ("${first}", "${second}", "${first}"):
    u.sendto(b"who", (host, 9003)); print(u.recvfrom(1000)[1][0])
`;
    const said = await mustRun(["python3", "-c", script]);
    const clients = Array.from({ length: 4 }, () => `client=${lab.gateway}`).join(" ");
    expect(said.split("\n")).toEqual([clients, first, second, first]);
  });

  test("of a service without an endpoint refuses at once; of an internal one it answers", async () => {
    expect((await hosts.fromOutside(lab.ip("n1"), 8_006)).said).toBe("refused");
    expect((await hosts.fromOutside(lab.ip("n3"), 8_004)).said).toBe("answered");
  });
});

describe("connections", () => {
  test("are counted at the endpoint, and a UDP client that goes on is led elsewhere when its endpoint leaves", async () => {
    const script = `exec 3<>/dev/tcp/${lab.ip("n2")}/8003; sleep 6; exec 3>&-`;
    const holding = lab.on("n1", `bash -c '${script}'`);
    await waitUntil("it is counted", 10_000, async () => Number(await lab.on("n3", "keep-view open 10.210.3.12")) > 0);
    await holding;
    // it goes on until another one answers
    const udp = `exec 3<>/dev/udp/${lab.ip("n1")}/9000; for i in $(seq 60); do echo x >&3; said=$(timeout 1 head -n 1 <&3); [ -z "$said" ] || [ "$said" = "\${first:=$said}" ] || break; sleep 0.5; done; echo "$first $said"`;
    const asking = lab.on("n2", `bash -c '${udp}'`);
    const flows = `conntrack -L -p udp --orig-src ${lab.ip("n2")} --orig-port-dst 9000 2>/dev/null | grep -o 'src=10.210[^ ]*' | head -n 1`;
    let soFar = "";
    await waitUntil("it is led somewhere", 20_000, async () => (soFar = await lab.on("n1", flows)) !== "");
    const left = soFar.replace("src=", "");
    await make([
      { ...web, endpoints: web.endpoints.map((each) => (each.address === left ? { ...each, standing: "out" } : each)) },
      one,
    ]);
    const [before, after] = (await asking).split(" ");
    expect([before, after]).toEqual([expect.stringMatching(/^host=web-/), expect.stringMatching(/^host=web-/)]);
    expect(after).not.toBe(before);
    await make();
  });
});

describe("an attempt", () => {
  test("whose endpoint leaves before it has answered finds another when it is sent again", async () => {
    const only = (address: string): ServiceRoutes => ({ ...web, endpoints: [endpoint(address)] });
    await make([only("10.210.3.10"), one]);
    await lab.on(
      "n3",
      `nft 'table ip hide { chain early { type filter hook prerouting priority -400; iifname "davit-vx" ip daddr 10.210.3.10 drop; }; }'`,
    );
    const script = `
import socket
s = socket.create_connection(("${lab.ip("n1")}", 8000), 60)
s.send(b"GET / HTTP/1.0\\r\\n\\r\\n"); print(s.makefile().read().split("host=")[1].split()[0])
`;
    const asking = mustRun(["python3", "-c", script]);
    await waitUntil("it is on its way", 20_000, async () =>
      (await lab.on("n1", "conntrack -L -p tcp --state SYN_SENT --reply-src 10.210.3.10 2>/dev/null")).includes("8000"),
    );
    await make([only("10.210.2.10"), one]);
    expect(await asking).toBe("web-n2");
    await lab.on("n3", "nft delete table ip hide");
    await make();
  });
});

describe("what is taken away", () => {
  async function expectWhole(): Promise<void> {
    expect((await hosts.fromOutside(lab.ip("n1"), 8_003)).client).toBe(lab.gateway);
    expect((await hosts.from("web-n1", "10.210.224.3", 8_080)).client).toBe("10.210.1.10");
    expect((await hosts.from("other-n1", "10.210.1.10", 8_080)).said).toBe("refused");
    expect((await hosts.from("web-n1", "10.210.224.1", 8_080)).said).toBe("answered");
  }

  test("is made again after a flush of the whole ruleset", async () => {
    await lab.on("n1", "nft flush ruleset");
    await waitUntil("the table is there", 5_000, async () => / davit$/m.test(await lab.on("n1", "nft list tables")));
    await lab.on("n1", "systemctl restart docker && docker start web-n1 other-n1 closed-n1 db-n1");
    await waitUntil("the engine lets packets through", 10_000, async () =>
      (await lab.on("n1", "iptables -S DOCKER-USER")).includes("0x20000"),
    );
    await expectWhole();
  });

  test("is made again after a flush of the engine's chain", async () => {
    await lab.on("n1", "iptables -F DOCKER-USER");
    await waitUntil("the rule is there", 5_000, async () =>
      (await lab.on("n1", "iptables -S DOCKER-USER")).includes("0x20000"),
    );
    await expectWhole();
  });

  test("stays in force while what keeps it is dead, and is taken over", async () => {
    await lab.on("n1", "systemctl kill -s KILL keep-view");
    await expectWhole();
    await hosts.keepOn("n1");
    await make();
    await expectWhole();
  });
});

describe("texts", () => {
  async function expectTaken(text: string): Promise<void> {
    const config = join(lab.directory, "ssh", "config");
    await mustRun(["ssh", "-F", config, "n2", "nft -c -f -"], { stdin: text });
  }

  test("that are golden are taken by nft", async () => {
    const golden = join(import.meta.dirname, "..", "golden");
    for (const name of ["packet", "port"]) await expectTaken(readFileSync(join(golden, `${name}-rules.nft`), "utf8"));
  });

  test("of any view are taken by nft, and so are the differences between them", async () => {
    const views = fc
      .sample(anyServices, 20)
      .map((services) => viewOf(services, { activations: activationsOf(services) }));
    for (const [at, view] of views.entries()) {
      const [old, next] = [planFirewall(view, FACTS), planFirewall(views[at + 1] ?? view, FACTS)];
      await expectTaken(`${renderRuleset(old)}${renderDifference(old, next) ?? ""}`);
    }
  });
});

test("a thousand services more leave those that are there as they were", async () => {
  const thousand = Array.from({ length: 1_000 }, (_, at) =>
    service(
      0,
      `bulk${at}`,
      [1, 2, 3].map((node) => endpoint(`10.210.${100 + node + 3 * Math.floor(at / 250)}.${2 + (at % 250)}`)),
      {
        serviceId: asId(`bulk${at}`),
        address: `10.210.${230 + Math.floor(at / 250)}.${2 + (at % 250)}`,
        networks: inNetworks(`net${at % 100}`),
      },
    ),
  );
  const whole = await make([...ALL, ...thousand]);
  const change = await make([{ ...web, endpoints: web.endpoints.slice(1) }, ...ALL.slice(1), ...thousand]);
  process.stdout.write(`1,000 services: ${whole.join(", ")} ms; one change: ${change.join(", ")} ms\n`);
  expect(Math.max(...whole, ...change)).toBeLessThan(10_000);
  expect((await hosts.fromOutside(lab.ip("n1"), 8_003)).host).toBe("one-n3");
  await make();
});

test("a node that leaves keeps nothing of it", async () => {
  await lab.on("n3", "systemctl stop keep-view; keep-view remove");
  expect(await lab.on("n3", "nft list tables")).not.toMatch(/davit/);
  expect(await lab.on("n3", "iptables -S DOCKER-USER; ip route; ip rule")).not.toMatch(/davit-|0x20000|10\.210\.224/);
});
