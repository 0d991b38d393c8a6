// The HTTP door on three real hosts: pages by HTTPS from certificates of the cluster's own authority and of a real ACME server, what routes may
// ask for, updates under load that lose nothing, and what dies in the middle of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type IngressFigures, NO_FIGURES } from "../../src/core/model/ingress-figures.ts";
import type { CertificateView, IngressRouteView, IngressStatsView } from "../../src/core/model/ingress-views.ts";
import type { RolloutDetailView } from "../../src/core/model/rollout-views.ts";
import { blameFor } from "../../workers/agent/network/ingress/blame.ts";
import { checkCommand } from "../../workers/agent/network/ingress/proxy-unit.ts";
import { acmeServerOf, startAcmeServer } from "./acme-server.ts";
import { type Cluster, startCluster, waitUntil } from "./cluster.ts";
import { overHttp2, overTls, type Said, serialOf } from "./ingress-callers.ts";
import { testLab } from "./lab.ts";
import { Ledger, type LedgerTarget } from "./ledger.ts";
import { mustRun } from "./run-command.ts";
import { LabStack } from "./stack.ts";
import { pushTalker } from "./talker-image.ts";

const lab = testLab();
let cluster: Cluster;
let image: string;
let authority: string;

const acme = acmeServerOf(lab);
const HEALTH = { http: { port: 8080, path: "/" }, interval: "1s", start_interval: "200ms" };

const SHOP = [{ host: "shop.test", port: 8080 }];
/** Of an update: in its course, and before it. */
const REQUESTS = 10_000;
const UPDATES = [
  { strategy: "rolling" },
  { strategy: "canary", hold: "2s" },
  { strategy: "blue-green", keep: "2s" },
] as const;

const UPLOAD_BYTES = 32 * 1024 * 1024;

beforeAll(async () => {
  cluster = await startCluster({
    lab,
    nodes: 3,
    up: ["--acme-directory", acme.directory, "--acme-ca", acme.caFile, "--acme-email", "ops@example.com"],
  });
  image = await pushTalker(lab, ["v1"]);
  await startAcmeServer(lab, { hosts: `${lab.ip("n2")} acme.example.com` });
});
afterAll(async () => {
  await cluster.down();
});

function service(ingress: readonly unknown[], more: Readonly<Record<string, unknown>> = {}, tag = "v1") {
  return {
    image: `${image}:v1`,
    environment: { TALKER_VERSION: tag },
    stop_grace_period: "10s",
    deploy: { replicas: 3, update_config: { order: "start-first", parallelism: 1 } },
    "x-davit": { health: HEALTH, drain: "3s", ingress },
    ...more,
  };
}

function target(node: string, host: string, more: Partial<LedgerTarget> = {}): LedgerTarget {
  return { address: lab.ip(node), port: 443, host, ca: authority, ...more };
}

async function curl(node: string, url: string, ...more: readonly string[]): Promise<string> {
  const { host, port, protocol } = new URL(url);
  const at = `${host}:${port || (protocol === "https:" ? "443" : "80")}:${lab.ip(node)}`;
  return await mustRun(["curl", "-sS", "--max-time", "30", "--resolve", at, ...more, url]);
}

async function asked(node: string, url: string, ...more: readonly string[]): Promise<Said> {
  return JSON.parse(await curl(node, url, ...more)) as Said;
}

async function routes(): Promise<readonly IngressRouteView[]> {
  return await cluster.coordinator.json<readonly IngressRouteView[]>(["ingress", "ls"]);
}

async function until200(node: string, url: string, ...more: readonly string[]): Promise<void> {
  await waitUntil(`${url} answers on ${node}`, 30_000, async () => {
    const status = await curl(node, url, "-o", "/dev/null", "-w", "%{http_code}", ...more).catch(() => "none");
    return status === "200";
  });
}

describe("pages", () => {
  test("a page by HTTPS names the container and the client on every node, over HTTP/2, takes a large upload, and HTTP leads to it", async () => {
    const stack = new LabStack(cluster, "shop");
    await stack.mustDeploy({ web: service(SHOP) });
    await waitUntil("the certificate is there", 20_000, async () => (await routes())[0]?.certificate === "valid");
    authority = await cluster.coordinator.must(["certificate", "authority"]);
    const file = join(lab.directory, "authority.pem");
    await Bun.write(file, authority);
    const containers = new Set((await stack.tasks("web")).map(({ containerId }) => containerId?.slice(0, 12)));
    for (const node of cluster.nodes) {
      await until200(node, "https://shop.test/x", "--cacert", file);
      const said = await asked(node, "https://shop.test/x", "--cacert", file);
      expect(said).toMatchObject({ version: "v1", client: lab.gateway, proto: "https", path: "/x" });
      expect(containers).toContain(said.host);
      expect(await curl(node, "https://shop.test/", "--cacert", file, "-o", "/dev/null", "-w", "%{http_version}")).toBe(
        "2",
      );
      expect(await curl(node, "http://shop.test/x", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")).toBe(
        "308 https://shop.test/x",
      );
    }
    const upload = join(lab.directory, "upload");
    await Bun.write(upload, Buffer.alloc(UPLOAD_BYTES, "x"));
    for (const version of ["--http1.1", "--http2"])
      expect(
        await asked("n2", "https://shop.test/", "--cacert", file, version, "--data-binary", `@${upload}`),
      ).toMatchObject({ received: UPLOAD_BYTES });
  });

  test("the proxy itself takes the settings that the golden files have, and says which route a fault is of", async () => {
    for (const name of ["haproxy.cfg", "haproxy-tcp.cfg"]) {
      const golden = readFileSync(join(import.meta.dirname, "..", "golden", name), "utf8");
      const text = golden.replaceAll("/var/lib/davit/ingress", "/tmp/golden");
      await lab.on("n1", `mkdir -p /tmp/golden && cat > /tmp/golden/haproxy.cfg <<'GOLDEN'\n${text}GOLDEN`);
      const maps = "certificates.list routes.map challenges.map";
      expect(await lab.on("n1", `cd /tmp/golden && touch ${maps} && haproxy -c -f haproxy.cfg`)).toContain("valid");
    }
    const lines = readFileSync(join(import.meta.dirname, "..", "golden", "haproxy.cfg"), "utf8").split("\n");
    const at = lines.findIndex((line) => line.startsWith("backend b1-"));
    const broken = lines.toSpliced(at + 1, 0, "  no-such-word").join("\n");
    await lab.on("n1", `cat > /tmp/golden/haproxy.cfg <<'GOLDEN'\n${broken}GOLDEN`);
    const said = await lab.on("n1", `${checkCommand("/tmp/golden/haproxy.cfg").join(" ")} 2>&1 || true`);
    const name = lines[at]?.replace("backend ", "");
    expect(blameFor(said, broken, [])).toMatchObject({ kind: "backend", name });
  });

  test("a public name gets its certificate from an ACME server, and a new one when asked", async () => {
    const stack = new LabStack(cluster, "acme");
    await stack.mustDeploy({ web: service([{ host: "acme.example.com", port: 8080 }]) });
    const certificate = async (): Promise<CertificateView | undefined> =>
      (await cluster.coordinator.json<readonly CertificateView[]>(["certificate", "ls"])).find(
        ({ name }) => name === "acme.example.com",
      );
    await waitUntil("the certificate is issued", 60_000, async () => (await certificate())?.state === "valid");
    const first = await certificate();
    expect(first?.source).toBe("acme");
    await until200("n3", "https://acme.example.com/", "--cacert", acme.caFile);
    const serial = (): Promise<string> => serialOf(lab.ip("n3"), "acme.example.com");
    const before = await serial();
    const ledger = new Ledger();
    ledger.keepAsking(target("n3", "acme.example.com", { ca: readFileSync(acme.caFile, "utf8") }), "new", 2, 20);
    await cluster.coordinator.must(["certificate", "renew", "acme.example.com"]);
    await waitUntil("another certificate is served", 60_000, async () => (await serial()) !== before);
    await ledger.stop();
    expect(ledger.failures).toEqual([]);
    await stack.remove();
  });
});

describe("what routes may ask for", () => {
  test("WebSocket, sticky sessions, HTTP/2 to the container, TLS led by SNI, limits, users, headers and maintenance", async () => {
    const stack = new LabStack(cluster, "opts");
    const hash = (await mustRun(["openssl", "passwd", "-6", "secret"])).replaceAll("$", "$$$$");
    await stack.mustDeploy({
      web: service(
        [
          { host: "opts.test", port: 8080, tls: "off" },
          { host: "sticky.test", port: 8080, tls: "off", sticky: true },
          { host: "grpc.test", port: 8081, tls: "off", protocol: "h2c" },
          { host: "small.test", port: 8080, tls: "off", max_body: "1k", request_headers: { "X-Extra": "50%" } },
          { host: "users.test", port: 8080, tls: "off" },
          { host: "users.test", path: "/in", port: 8080, tls: "off", strip_path: true, users: [`ann:${hash}`] },
          { host: "few.test", port: 8080, tls: "off", rate_limit: { requests: 3, per: "60s" } },
          { host: "db.test", port: 8082, protocol: "tcp" },
          { host: "*.wild.test", port: 8080, tls: "off", deny: ["192.0.2.1"] },
        ],
        { deploy: { replicas: 3 } },
      ),
    });
    await until200("n1", "http://sticky.test/");
    const status = (url: string, ...more: readonly string[]) =>
      curl("n1", url, "-o", "/dev/null", "-w", "%{http_code}", ...more);
    expect(await status("http://a.wild.test/")).toBe("200");
    expect(await status("http://a.b.wild.test/")).toBe("404");
    expect(await status("http://opts.test/a/../b", "--path-as-is")).toBe("400");
    expect((await asked("n1", "http://small.test/")) as unknown).toMatchObject({ extra: "50%" });
    expect(await status("http://small.test/", "-d", "x".repeat(2_000))).toBe("413");
    expect(await status("http://users.test/in/x")).toBe("401");
    // spelt in another way it is the same path to most programs: nobody gets around the password so
    for (const path of ["/%69n/x", "//in/x", "/i%6E%2Fx"]) {
      expect(await status(`http://users.test${path}`, "--path-as-is"), path).toBe("401");
    }
    expect(await status("http://users.test/in/x", "-H", "Host: users.test/other")).toBe("400");
    expect(await status("http://users.test/in%zz/x")).toBe("400");
    for (const host of ["USERS.test", "users.test:80", "users.test."])
      expect(await status("http://users.test/in/x", "-H", `Host: ${host}`), host).toBe("401");
    expect(await status("http://users.test/inn?a=//%zz")).toBe("200");
    expect(await asked("n1", "http://users.test/in/x", "-u", "ann:secret")).toMatchObject({ path: "/x", user: null });
    const few = [];
    for (let at = 0; at < 6; at++) few.push(await status("http://few.test/"));
    expect([few[0], few.at(-1)]).toEqual(["200", "429"]);
    const jar = join(lab.directory, "cookies");
    const hosts = new Set<string>();
    for (let at = 0; at < 12; at++)
      hosts.add((await asked(cluster.nodes[at % 3] ?? "n1", "http://sticky.test/", "-c", jar, "-b", jar)).host);
    expect(hosts.size).toBe(1);
    expect(await overHttp2(lab.ip("n2"), "grpc.test")).toContain('"path":"/echo"');
    expect(await overTls(lab.ip("n2"), "db.test")).toMatch(/^talker\.test v1 [0-9a-f]+ hello$/);
    expect(await asked("n2", "https://shop.test/x", "-k")).toMatchObject({ client: lab.gateway, proto: "https" });
    expect(await status("http://db.test/")).toBe("404");
    // who reaches the inner socket may say that it is anybody: only the proxy does
    expect(await lab.on("n2", "stat -c '%U %a' /run/davit-ingress/https.sock")).toBe("haproxy 600");
    const asNobody = "setpriv --reuid=65534 --regid=65534 --clear-groups curl -sk -m 5 --haproxy-protocol";
    const forged = `${asNobody} --unix-socket /run/davit-ingress/https.sock https://shop.test/; echo " $?"`;
    expect(await lab.on("n2", forged)).toBe("7");
    expect(await lab.on("n2", "ss -xlH | grep -c '@davit' || true")).toBe("0");
    const sockets = new Ledger();
    sockets.keepTalking({ address: lab.ip("n2"), port: 80, host: "opts.test" }, 2, 50);
    await waitUntil("sockets answer", 10_000, () => sockets.count("socket") > 10);
    await sockets.stop();
    expect(sockets.endedSockets).toEqual([]);
    await cluster.coordinator.must(["service", "maintenance", "on", "opts_web"]);
    await waitUntil("maintenance is on everywhere", 10_000, async () => {
      const codes = await Promise.all(
        cluster.nodes.map((node) => curl(node, "http://opts.test/", "-o", "/dev/null", "-w", "%{http_code}")),
      );
      return codes.every((code) => code === "503");
    });
    await cluster.coordinator.must(["service", "maintenance", "off", "opts_web"]);
    await until200("n3", "http://opts.test/");
    await stack.remove();
  });

  test("a host that another stack has, and a wildcard without a proof, are refused and change nothing", async () => {
    const stack = new LabStack(cluster, "thief");
    const taken = await stack.deploy({ web: service(SHOP) });
    expect(taken.exitCode).not.toBe(0);
    expect(taken.stderr).toContain("shop_web has it already");
    const wild = await stack.deploy({ web: service([{ host: "*.example.org", port: 8080 }]) });
    expect(wild.stderr).toContain("only for a proof by DNS");
    expect(await stack.tasks("web").catch(() => [])).toEqual([]);
  });
});

describe("updates under load", () => {
  test("rolling, canary and blue-green updates lose no request of kept and new connections, uploads and sockets through all nodes", async () => {
    const stack = new LabStack(cluster, "shop");
    const ledger = new Ledger();
    for (const node of cluster.nodes) {
      const plain = target(node, "shop.test");
      ledger.keepAsking(plain, "kept", 4);
      ledger.keepAsking(plain, "new", 1, 2);
      ledger.keepAsking(plain, "upload", 1, 10);
      ledger.keepTalking(plain, 1, 100);
    }
    for (const [at, { strategy, ...update }] of UPDATES.entries()) {
      const before = ledger.entries.length;
      const ended = ledger.endedSockets.length;
      const [old, next] = [`v${at + 1}`, `v${at + 2}`];
      const versions = () =>
        new Set(ledger.entries.slice(before).flatMap(({ body }) => /"version":"(v\d)"/.exec(body ?? "")?.[1] ?? []));
      await waitUntil(`${old} is well asked`, 60_000, () => ledger.entries.length - before > REQUESTS / 4);
      const x = { health: HEALTH, drain: "3s", ingress: SHOP, update: { strategy, ...update } };
      await stack.mustDeploy({ web: service(SHOP, { "x-davit": x }, next) });
      await waitUntil(`the ${strategy} update is over`, 60_000, async () => {
        const detail = await cluster.coordinator.get<RolloutDetailView>("/v1/rollouts/shop_web");
        const tasks = await stack.tasks("web");
        return detail.rollout?.state === "completed" && tasks.length === 3;
      });
      await waitUntil("it is well asked", 60_000, () => ledger.entries.length - before > REQUESTS);
      console.log(
        `${strategy}: ${ledger.entries.length - before} requests, ${ledger.failures.length} failed, ${ledger.endedSockets.length - ended} sockets closed at the end of the drain`,
      );
      expect(ledger.failures.slice(0, 5)).toEqual([]);
      expect([...versions()].sort()).toEqual([old, next]);
    }
    await ledger.stop();
    expect(ledger.failures).toEqual([]);
    for (const kind of ["kept", "new", "upload", "socket"] as const) expect(ledger.count(kind)).toBeGreaterThan(100);
  });

  test("an agent that is killed cuts nothing, a proxy that is killed is back with what it must have, and a reboot needs nobody", async () => {
    const ledger = new Ledger();
    ledger.keepAsking(target("n2", "shop.test"), "kept", 2, 5);
    await waitUntil("requests are answered", 10_000, () => ledger.entries.length > 50);
    await lab.on("n2", "systemctl kill -s KILL davit-agent");
    await waitUntil(
      "the agent is back",
      20_000,
      async () => (await lab.on("n2", "systemctl is-active davit-agent || true")) === "active",
    );
    await ledger.stop();
    expect(ledger.failures).toEqual([]);
    const file = join(lab.directory, "authority.pem");
    await lab.on("n2", "systemctl kill -s KILL davit-ingress");
    await until200("n2", "https://shop.test/", "--cacert", file);
    await cluster.coordinator.stop();
    await lab.reboot("n2");
    await until200("n2", "https://shop.test/", "--cacert", file);
    await cluster.coordinator.start();
  });
});

describe("what is counted and logged", () => {
  test("a service's figures are of each node and in all, go on over a killed agent and a reload, and its requests are in the log", async () => {
    const stack = new LabStack(cluster, "seen");
    await stack.mustDeploy({
      web: service([{ host: "seen.test", port: 8080, tls: "off", access_log: true, max_body: "1k" }]),
    });
    for (const node of ["n1", "n2"]) await until200(node, "http://seen.test/");
    const stats = async (): Promise<{ readonly total: IngressFigures; readonly by: ReadonlyMap<string, number> }> => {
      const { services } = await cluster.coordinator.json<IngressStatsView>(["ingress", "stats", "seen_web"]);
      const by = new Map(services[0]?.nodes.map(({ node, figures }) => [node, figures.requests]));
      return { total: services[0]?.total ?? NO_FIGURES, by };
    };
    const before = await stats();
    const ask = (node: string, path: string, ...more: readonly string[]) =>
      curl(node, `http://seen.test${path}`, "-o", "/dev/null", ...more);
    for (let at = 0; at < 5; at++) await ask("n1", "/one?q=1");
    for (let at = 0; at < 3; at++) await ask("n2", "/two");
    await ask("n2", "/large", "-d", "x".repeat(2_000));
    const after = await stats();
    expect([after.total.requests - before.total.requests, after.total.rejected - before.total.rejected]).toEqual([
      9, 1,
    ]);
    expect([
      after.total.answers["2"] - before.total.answers["2"],
      after.total.answers["4"] - before.total.answers["4"],
    ]).toEqual([8, 1]);
    expect(after.by.get("n1")).toBe((before.by.get("n1") ?? 0) + 5);
    await lab.on("n1", "systemctl reload davit-ingress; systemctl kill -s KILL davit-agent");
    await until200("n1", "http://seen.test/again");
    const counted = async (more: number): Promise<boolean> => {
      const { by } = await stats().catch(() => ({ by: new Map<string, number>() }));
      return (by.get("n1") ?? 0) >= (after.by.get("n1") ?? 0) + more;
    };
    await waitUntil("the agent is back with all that was counted", 60_000, () => counted(0));
    for (let at = 0; at < 3; at++) await ask("n1", "/three");
    await waitUntil("what the new proxy answers is counted, too", 30_000, () => counted(3));
    const metrics = await cluster.coordinator.text("/v1/metrics");
    expect(metrics).toMatch(/^davit_ingress_requests_total\{service="seen_web",node="n2"\} [1-9]/m);
    const lines = (await cluster.coordinator.must(["ingress", "log", "seen_web"])).split("\n");
    expect(lines.filter((line) => line.includes(`${lab.gateway} seen.test "GET /one?q=1 HTTP/1.1" 200 `))).toHaveLength(
      5,
    );
    expect(
      lines.filter((line) => line.includes('"POST /large HTTP/1.1" 413 ') && line.endsWith("no container")),
    ).toHaveLength(1);
    expect((await cluster.coordinator.must(["ingress", "log", "seen_web", "-n", "2"])).trim().split("\n")).toHaveLength(
      2,
    );
    const leave = new AbortController();
    let heard = "";
    const followed = cluster.coordinator.cli(["ingress", "log", "seen_web", "-n", "0", "-f"], {
      interrupt: leave.signal,
      onOutput: (text) => (heard += text),
    });
    await waitUntil("a request is told as it comes", 30_000, async () => {
      await ask("n2", "/followed");
      return heard.includes('"GET /followed HTTP/1.1" 200 ');
    });
    leave.abort();
    expect((await followed).exitCode).toBe(0);
    expect(heard).not.toContain("/one?q=1");
    await stack.remove();
  });
});

describe("what hurts the door of a node", () => {
  test("a disk that takes nothing, and a proxy that somebody masked, hold up no task and no other route, and heal", async () => {
    const stack = new LabStack(cluster, "hurt");
    const trouble = async (node: string): Promise<string> =>
      JSON.stringify(
        (await cluster.coordinator.json<readonly { name: string }[]>(["node", "ls"])).find(({ name }) => name === node),
      );
    const directory = "/var/lib/davit/ingress";
    const one = { deploy: { replicas: 1, update_config: { order: "start-first" } } };
    const hurt = [{ host: "hurt.test", port: 8080, tls: "off" }];
    await stack.mustDeploy({ web: service([{ host: "before.test", port: 8080, tls: "off" }], one) });
    await until200("n3", "http://before.test/");
    await lab.on("n3", `mount --bind ${directory} ${directory} && mount -o remount,ro,bind ${directory}`);
    try {
      await stack.mustDeploy({ web: service(hurt, one) });
      await until200("n3", "http://hurt.test/");
      await waitUntil("the node says so", 20_000, async () => /read-only/.test(await trouble("n3")));
      await stack.mustDeploy({ web: service(hurt, one, "v2") });
      await waitUntil("only the new version answers", 30_000, async () => {
        const said = await Promise.all([1, 2, 3].map(() => asked("n3", "http://hurt.test/")));
        return said.every(({ version }) => version === "v2");
      });
    } finally {
      await lab.on("n3", `umount ${directory}`);
    }
    await waitUntil("the node is well again", 60_000, async () => !/read-only/.test(await trouble("n3")));
    const unit = "/etc/systemd/system/davit-ingress.service";
    await lab.on("n2", `systemctl stop davit-ingress && ln -sf /dev/null ${unit} && systemctl daemon-reload`);
    await stack.mustDeploy({ web: service(hurt, one, "v3") });
    await until200("n2", "http://hurt.test/");
    expect((await asked("n2", "http://hurt.test/")).version).toBe("v3");
    await stack.remove();
  });
});
