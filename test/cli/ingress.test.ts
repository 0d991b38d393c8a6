// What the ingress counts and logs, as people and Prometheus read it: summed and by node, with the nodes named that are missing, for who may.

import { describe, expect, test } from "vitest";
import type { IngressFigures } from "../../src/core/model/ingress-figures.ts";
import { serve, type Serving } from "../api/serving.ts";
import { serviceOf, stackOf } from "../fakes/stacks.ts";
import { Harness } from "./harness.ts";

const FIGURES: IngressFigures = {
  answers: { "1": 0, "2": 90, "3": 0, "4": 8, "5": 2 },
  requests: 100,
  bytesIn: 2_048,
  bytesOut: 1_048_576,
  rejected: 3,
  retries: 1,
  unreached: 1,
  broken: 1,
  open: 4,
  firstByteMs: 10,
  tookMs: 20,
};

type Shop = Serving & { readonly cli: () => Harness };

/** A shop on three nodes, of which the third is lost. */
async function shop(accessLog: boolean): Promise<Shop> {
  const serving = await serve();
  const { backend, client } = serving;
  const [n1, , n3] = ["n1", "n2", "n3"].map((name) => backend.model.node(name));
  const route = { host: "shop.test", path: "/", port: 8080, tls: "off" as const, ...(accessLog ? { accessLog } : {}) };
  await client.deploy(stackOf("shop", [{ ...serviceOf("shop", "web"), ingress: [route] }]));
  const { id } = await client.service("shop_web");
  backend.figuresOf = (node) => [
    {
      serviceId: id,
      figures: node === n1 ? FIGURES : { ...FIGURES, requests: 300, firstByteMs: 30, tookMs: 40 },
    },
  ];
  if (n3 !== undefined) backend.model.lose(n3);
  return { ...serving, cli: () => new Harness({ client, nowMs: backend.nowMs() }) };
}

describe("figures", () => {
  test("are summed over the nodes that answer, or shown by node, and who is missing is named", async () => {
    const { cli } = await shop(false);
    const sum = cli();
    expect(await sum.run("ingress", "stats", "shop_web")).toBe(0);
    expect(sum.stdout).toMatch(/^shop_web +400 +180 +0 +16 +4 +6 +2 +4 +8 +\S.* +25\/35 ms$/m);
    expect(sum.stderr).toBe("davit: without n3: it is lost\n");
    const each = cli();
    expect(await each.run("ingress", "stats", "--nodes")).toBe(0);
    expect(each.stdout).toMatch(/^shop_web +n1 +100 .* 10\/20 ms$/m);
    expect(each.stdout).toMatch(/^shop_web +n2 +300 .* 30\/40 ms$/m);
    expect(await cli().run("ingress", "stats", "nosuch")).not.toBe(0);
  });

  test("are there for Prometheus, a line for each service and node, with a token only", async () => {
    const { url, tokenOf } = await shop(false);
    expect((await fetch(`${url}/v1/metrics`)).status).toBe(401);
    const response = await fetch(`${url}/v1/metrics`, {
      headers: { authorization: `Bearer ${await tokenOf("viewer")}` },
    });
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    for (const line of [
      "# TYPE davit_ingress_requests_total counter",
      'davit_ingress_requests_total{service="shop_web",node="n1"} 100',
      'davit_ingress_requests_total{service="shop_web",node="n2"} 300',
      'davit_ingress_responses_total{service="shop_web",node="n1",code="4xx"} 8',
      'davit_ingress_first_byte_seconds{service="shop_web",node="n2"} 0.03',
      'davit_ingress_scraped{node="n2"} 1',
      'davit_ingress_scraped{node="n3"} 0',
      'davit_node_ready{node="n3"} 0',
    ])
      expect(text.split("\n")).toContain(line);
    // every sample is of a family that was named before it, once
    const families = [...text.matchAll(/^# TYPE (\S+) (?:counter|gauge)$/gm)].map(([, name]) => name);
    expect(new Set(families).size).toBe(families.length);
    for (const line of text
      .trim()
      .split("\n")
      .filter((each) => !each.startsWith("#")))
      expect(line).toMatch(/^[a-z_]+\{([a-z]+="[^"]*",?)+\} [0-9.e-]+$/);
  });
});

describe("the log of requests", () => {
  test("has the lines of all nodes by time, and a node that is not reached is named", async () => {
    const { cli, backend } = await shop(true);
    backend.accessLinesOf = (node, service) => {
      if (node.startsWith("n3")) throw new Error("it is not reached");
      const at = node.startsWith("n1") ? "2026-01-01T00:00:02.000Z" : "2026-01-01T00:00:01.000Z";
      return [{ at, stream: "stdout", text: `192.0.2.1 ${service} on ${node}` }];
    };
    const log = cli();
    expect(await log.run("ingress", "log", "shop_web")).toBe(0);
    expect(log.stdout.split("\n").map((line) => line.replace(/^.*\| /, ""))).toEqual([
      "192.0.2.1 shop_web on n2",
      "192.0.2.1 shop_web on n1",
      "",
    ]);
    expect(log.stderr).toBe("davit: n3: no log: it is not reached\n");
  });

  test("of a service without a logged route says how to have one", async () => {
    const { cli } = await shop(false);
    const log = cli();
    expect(await log.run("ingress", "log", "shop_web")).toBe(0);
    expect(log.stderr).toContain("give one access_log: true");
  });
});
