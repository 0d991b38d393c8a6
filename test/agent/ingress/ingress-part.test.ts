// The node's HTTP door against a proxy in memory: what comes and goes without a reload, what needs one, and what goes wrong beside what goes on.

import { beforeEach, describe, expect, test } from "vitest";
import { RELOAD_EVERY_MS } from "../../../workers/agent/network/ingress/ingress-part.ts";
import type { Layout } from "../../../workers/agent/network/ingress/layout.ts";
import type { FakeClock } from "../../fakes/fake-clock.ts";
import type { FakeProxy, MemoryFiles } from "./fake-proxy.ts";
import { DoorHost, endpoint, pemFor, route, view } from "./part-world.ts";

let machine: DoorHost;
let files: MemoryFiles;
let proxy: FakeProxy;
let clock: FakeClock;

beforeEach(() => {
  machine = new DoorHost();
  ({ files, proxy, clock } = machine);
});

const newPart = () => machine.newPart();

test("the first route that is led by SNI reloads the proxy with a door before the door, which goes with the next reload after the last one, and nothing of its own is touched", async () => {
  const part = newPart();
  const plain = { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] };
  await part.apply(view({ web: plain }));
  const db = { routes: [route("db.test", { port: 5432, protocol: "tcp" })], endpoints: [endpoint("10.210.1.3")] };
  await part.apply(view({ db, web: plain }));
  expect(proxy.reloads).toBe(1);
  expect(files.texts.get("haproxy.cfg")).toContain("frontend davit-tcp");
  expect(files.texts.get("routes.map")).toMatch(/^db\.test\/ b\d+-[0-9a-f]+-16\|-\+t\|db$/m);
  expect(proxy.serversOf("db.test/")).toEqual(["10.210.1.3:5432"]);
  await part.apply(view({ db: { ...db, endpoints: [] }, web: plain }));
  expect(proxy.serversOf("db.test/")).toEqual([]);
  expect(proxy.commands.filter((command) => command.includes("davit-https"))).toEqual([]);
  await part.apply(view({ web: plain }));
  await clock.advance(RELOAD_EVERY_MS);
  await part.apply(view({ web: plain }));
  expect([proxy.reloads, part.trouble]).toEqual([1, undefined]);
  await part.apply(view({ web: { ...plain, routes: [route("a.test", { sticky: true })] } }));
  expect(proxy.reloads).toBe(2);
  expect(files.texts.get("haproxy.cfg")).not.toContain("frontend davit-tcp");
});

describe("what needs no reload", () => {
  test("the proxy starts with the first route, and its ports are given back with the last", async () => {
    const part = newPart();
    await part.apply(view({}));
    expect(proxy.workers.size).toBe(0);
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } }));
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.2:8080"]);
    await part.apply(view({}));
    expect(proxy.workers.size).toBe(0);
    expect([...files.texts.keys()]).toEqual([]);
  });

  test("hosts, endpoints, weights and maintenance come and go, and asking again changes nothing", async () => {
    const part = newPart();
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } }));
    const next = view({
      web: {
        routes: [route("a.test"), route("b.test", { path: "/shop" })],
        endpoints: [
          endpoint("10.210.1.3", { weight: 10 }),
          endpoint("10.210.1.2", { standing: "out" }),
          endpoint("10.210.1.4", { standing: "waiting" }),
        ],
        maintenance: true,
      },
    });
    await part.apply(next);
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.3:8080"]);
    expect(proxy.serversOf("b.test/shop/")).toEqual(["10.210.1.3:8080"]);
    expect(proxy.current.maps.get("routes.map")?.get("b.test/shop/")).toMatch(/\|-\+m\|/);
    proxy.commands.length = 0;
    await part.apply(next);
    expect(proxy.commands).toEqual([]);
    expect([proxy.reloads, part.trouble]).toEqual([0, undefined]);
  });

  test("a new server takes requests before the one that it replaces is taken out", async () => {
    const part = newPart();
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } }));
    proxy.commands.length = 0;
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.3")] } }));
    const states = proxy.commands.filter((command) => command.includes(" state "));
    expect(states.map((command) => command.split(" ").at(-1))).toEqual(["ready", "maint"]);
  });

  test("shares are held beside a canary that comes and goes: the others' grow before it takes any, and shrink after it has gone", async () => {
    const part = newPart();
    const old = [endpoint("10.210.1.2"), endpoint("10.210.1.3")];
    const about = (command: string): string => command.replace(/^set server \S+\//, "");
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: old } }));
    proxy.commands.length = 0;
    await part.apply(
      view({ web: { routes: [route("a.test")], endpoints: [...old, endpoint("10.210.1.4", { weight: 5 })] } }),
    );
    const come = proxy.commands.filter((command) => command.startsWith("set server")).map(about);
    expect(come.slice(0, 2)).toEqual(["s1 weight 20", "s2 weight 20"]);
    expect(come.slice(2)).toEqual([
      expect.stringMatching(/addr 10.210.1.4 port 8080$/),
      expect.stringMatching(/state ready$/),
    ]);
    proxy.commands.length = 0;
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: old } }));
    const gone = proxy.commands.filter((command) => command.startsWith("set server")).map(about);
    expect(gone).toEqual([expect.stringMatching(/state maint$/), "s1 weight 1", "s2 weight 1"]);
  });

  test("an endpoint of weight 0 gets nothing", async () => {
    const part = newPart();
    const endpoints = [endpoint("10.210.1.2"), endpoint("10.210.1.3", { weight: 0 })];
    await part.apply(view({ web: { routes: [route("a.test")], endpoints } }));
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.2:8080"]);
  });

  test("a challenge is answered before there is any route", async () => {
    const part = newPart();
    await part.apply(view({}, { challenges: [{ token: "tok", answer: "tok.print" }] }));
    expect(proxy.current.maps.get("challenges.map")?.get("/.well-known/acme-challenge/tok")).toBe("tok.print");
  });

  test("certificates come, are replaced and go; one that the coordinator no longer tells after a reboot stays", async () => {
    const part = newPart();
    const services = { web: { routes: [route("a.test", { tls: "auto" as const })] } };
    const certificate = (pem: string) => ({ kind: "certificate" as const, name: "a.test", hosts: ["a.test"], pem });
    await part.apply(view(services));
    expect(proxy.current.list.size).toBe(0);
    const [first, second] = [pemFor("a.test"), pemFor("a.test")];
    await part.apply(view(services, { certificates: [certificate(first)] }));
    expect([...proxy.current.list.values()]).toEqual(["a.test"]);
    await part.apply(view(services, { certificates: [certificate(second)] }));
    expect([...proxy.current.certificates.values()].map((pem) => pem.trim())).toEqual([second.trim()]);
    await newPart().apply(view(services));
    expect(proxy.current.list.size).toBe(1);
    await part.apply(view({ web: { routes: [route("b.test")] } }));
    expect(proxy.current.list.size).toBe(0);
    expect(proxy.reloads).toBe(0);
  });

  test("a proxy that was restarted, and an agent that was, have what they must have", async () => {
    const services = { web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } };
    await newPart().apply(view(services));
    proxy.restart();
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.2:8080"]);
    await newPart().apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.9")] } }));
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.9:8080"]);
    expect(proxy.reloads).toBe(0);
  });
});

describe("what needs a reload", () => {
  test("an option reloads the proxy, the next one waits until a minute has passed, and both leave other routes alone", async () => {
    const part = newPart();
    const endpoints = [endpoint("10.210.1.2")];
    await part.apply(view({ web: { routes: [route("a.test"), route("b.test")], endpoints } }));
    await part.apply(view({ web: { routes: [route("a.test", { sticky: true }), route("b.test")], endpoints } }));
    expect(proxy.reloads).toBe(1);
    expect(files.texts.get("haproxy.cfg")).toContain("cookie davit-");
    await part.apply(
      view({ web: { routes: [route("a.test", { sticky: true, maxBodyBytes: 5 }), route("b.test")], endpoints } }),
    );
    expect(proxy.reloads).toBe(1);
    expect(part.trouble).toContain("a.test/: changes come with the next reload");
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.2:8080"]);
    expect(proxy.serversOf("b.test/")).toEqual(["10.210.1.2:8080"]);
    await clock.advance(RELOAD_EVERY_MS);
    expect(proxy.reloads).toBe(2);
    expect(part.trouble).toBeUndefined();
  });

  test("while an old worker finishes, what is withdrawn leaves it too", async () => {
    const part = newPart();
    const endpoints = [endpoint("10.210.1.2"), endpoint("10.210.1.3")];
    await part.apply(view({ web: { routes: [route("a.test")], endpoints } }));
    proxy.hasOpenSessions = true;
    const sticky = [route("a.test", { sticky: true })];
    await part.apply(view({ web: { routes: sticky, endpoints } }));
    expect(proxy.workers.size).toBe(2);
    await part.apply(view({ web: { routes: sticky, endpoints: [endpoint("10.210.1.3")] } }));
    for (const worker of proxy.workers.values())
      expect(proxy.serversOf("a.test/", worker)).toEqual(["10.210.1.3:8080"]);
  });

  test("more endpoints than a backend has room for bring a larger one", async () => {
    const part = newPart();
    const endpoints = Array.from({ length: 40 }, (_, at) => endpoint(`10.210.1.${at + 2}`));
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: endpoints.slice(0, 3) } }));
    await part.apply(view({ web: { routes: [route("a.test")], endpoints } }));
    expect(proxy.serversOf("a.test/")).toHaveLength(40);
    expect(proxy.reloads).toBe(1);
  });
});

describe("what goes wrong", () => {
  test("a port that something else has is told, and nothing waits for it", async () => {
    machine.owners["80/tcp"] = "nginx (pid 7)";
    const part = newPart();
    await part.apply(view({ web: { routes: [route("a.test")] } }));
    expect(part.trouble).toContain("port 80 is taken by nginx (pid 7)");
    expect(proxy.workers.size).toBe(0);
    machine.owners = {};
    await part.apply(view({ web: { routes: [route("a.test")] } }));
    expect([proxy.workers.size, part.trouble]).toEqual([1, undefined]);
  });

  test("a route that the proxy refuses is left out with its words, the others go on, and a changed one is tried again", async () => {
    proxy.refuses = (config) => {
      const at = config.split("\n").findIndex((line) => line.includes("bad-header"));
      return at === -1
        ? undefined
        : `[ALERT]    (1) : config : parsing [haproxy.cfg:${at + 1}] : error detected: no such word\n`;
    };
    const part = newPart();
    const endpoints = [endpoint("10.210.1.2")];
    const bad = route("bad.test", { requestHeaders: { "bad-header": "x" } });
    await part.apply(view({ web: { routes: [route("a.test"), bad], endpoints } }));
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.2:8080"]);
    expect(proxy.serversOf("bad.test/")).toEqual([]);
    expect(part.trouble).toContain("route bad.test/ is left out");
    await part.apply(view({ web: { routes: [route("a.test"), route("bad.test")], endpoints } }));
    expect(proxy.serversOf("bad.test/")).toEqual(["10.210.1.2:8080"]);
    expect(part.trouble).toBeUndefined();
  });

  test("settings that are refused with no word of what part it is are blamed on what came last, and the others go on", async () => {
    const part = newPart();
    const endpoints = [endpoint("10.210.1.2")];
    await part.apply(view({ web: { routes: [route("a.test")], endpoints } }));
    proxy.refuses = (config) => (config.includes("sticky.test") ? "[ALERT]    (1) : out of something\n" : undefined);
    const next = { routes: [route("a.test"), route("sticky.test", { sticky: true })] };
    await part.apply(view({ web: { ...next, endpoints: [endpoint("10.210.1.3")] } }));
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.3:8080"]);
    expect(part.trouble).toContain("route sticky.test/ is left out: the proxy says: [ALERT]    (1) : out of something");
    proxy.refuses = () => "[ALERT]    (1) : out of something\n";
    const other = newPart();
    await other.apply(view({ web: { routes: [route("a.test")] } }));
    expect(other.trouble).toContain("check the ingress proxy's settings");
    expect(proxy.serversOf("a.test/")).toEqual([]);
  });

  test("of two services that claim one host the first has it", async () => {
    const part = newPart();
    await part.apply(
      view({
        one: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] },
        two: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.3")] },
      }),
    );
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.2:8080"]);
  });

  test("a full disk holds up no endpoint and no new route: the running proxy follows all the same, and the files do once there is room", async () => {
    const part = newPart();
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } }));
    files.isFull = true;
    const next = view({
      web: { routes: [route("a.test"), route("new.test")], endpoints: [endpoint("10.210.1.3")] },
    });
    await part.apply(next);
    for (const host of ["a.test/", "new.test/"]) expect(proxy.serversOf(host)).toEqual(["10.210.1.3:8080"]);
    expect(part.trouble).toContain("no space left on device");
    files.isFull = false;
    await part.apply(next);
    expect(part.trouble).toBeUndefined();
    proxy.restart();
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.3:8080"]);
  });

  test("a map or a certificate that the running proxy refuses is told, and holds up neither endpoints nor other certificates", async () => {
    const part = newPart();
    const hosts = ["a.test", "b.test"];
    const routes = hosts.map((host) => route(host, { tls: "internal" }));
    const certificates = hosts.map((name) => ({
      kind: "certificate" as const,
      name,
      hosts: [name],
      pem: pemFor(name),
    }));
    await part.apply(view({ web: { routes, endpoints: [endpoint("10.210.1.2")] } }));
    proxy.refusesCommand = (command) =>
      /^add map|^set ssl cert .*a\.test/.test(command) ? "out of memory\n" : undefined;
    const more = [...routes, route("c.test")];
    await part.apply(view({ web: { routes: more, endpoints: [endpoint("10.210.1.3")] } }, { certificates }));
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.3:8080"]);
    expect([...proxy.current.list.values()]).toEqual(["b.test"]);
    expect(part.trouble).toMatch(/set ssl cert .*out of memory/);
    expect(part.trouble).toMatch(/add map .*out of memory/);
    proxy.refusesCommand = () => undefined;
    await part.apply(view({ web: { routes: more, endpoints: [endpoint("10.210.1.3")] } }, { certificates }));
    expect(proxy.serversOf("c.test/")).toEqual(["10.210.1.3:8080"]);
    expect(part.trouble).toBeUndefined();
  });

  test("a server that cannot be taken out is the one thing that is waited for", async () => {
    const part = newPart();
    await part.apply(view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } }));
    proxy.refusesCommand = (command) => (command.endsWith("state maint") ? "no such server\n" : undefined);
    const without = view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.3")] } });
    await expect(part.apply(without)).rejects.toThrow("no such server");
    proxy.refusesCommand = () => undefined;
    await part.apply(without);
    expect(proxy.serversOf("a.test/")).toEqual(["10.210.1.3:8080"]);
  });

  test("a proxy that was stopped and does not start again is told, and nothing waits for it", async () => {
    const part = newPart();
    const one = view({ web: { routes: [route("a.test")], endpoints: [endpoint("10.210.1.2")] } });
    await part.apply(one);
    proxy.workers.clear();
    proxy.startFails = "Unit davit-ingress.service is masked.";
    await part.apply(one);
    expect(part.trouble).toContain("Unit davit-ingress.service is masked.");
    proxy.startFails = undefined;
    await part.apply(one);
    expect([proxy.workers.size, part.trouble]).toEqual([1, undefined]);
  });
});

describe("a backend that changes hands", () => {
  test("never leads one service's requests to another's container, not for the time of one command", async () => {
    const part = newPart();
    const one = { routes: [route("one.test")], endpoints: [endpoint("10.210.1.2")] };
    await part.apply(view({ one }));
    const before = JSON.parse(files.texts.get("layout.json") ?? "") as Layout;
    // all spare ones but the one that is given up are gone
    const backends = before.backends.filter((backend) => backend.route !== undefined);
    files.texts.set("layout.json", JSON.stringify({ ...before, backends }));
    const seen = new Set<string>();
    proxy.onCommand = () => {
      for (const host of ["one.test", "two.test"])
        for (const server of proxy.serversOf(`${host}/`)) seen.add(`${host} ${server}`);
    };
    await newPart().apply(view({ two: { routes: [route("two.test")], endpoints: [endpoint("10.210.1.3")] } }));
    expect(proxy.serversOf("two.test/")).toEqual(["10.210.1.3:8080"]);
    expect([...seen].sort()).toEqual(["one.test 10.210.1.2:8080", "two.test 10.210.1.3:8080"]);
  });

  test("goes on serving its route until the reload that brings another one for it", async () => {
    const part = newPart();
    const endpoints = [endpoint("10.210.1.2")];
    const steady = { routes: [route("steady.test", { sticky: true })], endpoints };
    await part.apply(view({ steady, one: { routes: [route("one.test")], endpoints } }));
    const first = { routes: [route("one.test"), route("other.test", { sticky: true })], endpoints };
    await part.apply(view({ steady, one: first }));
    expect(proxy.reloads).toBe(1);
    const sticky = { routes: [route("one.test", { sticky: true }), route("two.test")], endpoints };
    await part.apply(view({ steady, one: sticky }));
    expect(proxy.reloads).toBe(1);
    expect(proxy.serversOf("one.test/")).toEqual(["10.210.1.2:8080"]);
    expect(proxy.serversOf("two.test/")).toEqual(["10.210.1.2:8080"]);
    await clock.advance(RELOAD_EVERY_MS);
    expect(proxy.reloads).toBe(2);
    expect(proxy.serversOf("one.test/")).toEqual(["10.210.1.2:8080"]);
    expect(part.trouble).toBeUndefined();
  });
});
