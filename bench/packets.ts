// What the kernel's packet rules cost: a service's address and a published port beside the container's own address, over the same way, in turns;
// and how long a thousand services take to be put in force, and one change among them.

import { asId } from "../src/core/model/ids.ts";
import type { ServiceRoutes } from "../src/core/model/routes.ts";
import { endpoint, inNetworks, service } from "../test/agent/firewall/views.ts";
import type { Lab } from "../test/lab/lab.ts";
import { NetworkHosts } from "../test/lab/network/hosts.ts";
import { median, type Row } from "./statistics.ts";

const SERVICES = 1_000;
/** Of one endpoint, in each run: it leaves and comes back in turns. */
const CHANGES = 6;
const PULL_SECONDS = 1;
const QUESTIONS = 2_000;
const LEAST_THROUGHPUT = 0.9;
const MOST_LATENCY = 1.1;
const ALL_WITHIN_MS = 300;
const ONE_WITHIN_MS = 40;

const web = service(1, "web", [endpoint("10.210.1.10")], {
  ports: [{ published: 8_000, target: 8_080, protocol: "tcp" }],
});
const far = service(2, "far", [endpoint("10.210.2.10")]);
const caller = service(3, "caller", [endpoint("10.210.1.11")]);

/** A way to one of the two containers: from where, and each address by what it is called. */
type Way = {
  readonly what: string;
  readonly from: string;
  readonly direct: readonly [string, number];
  readonly led: readonly [string, number];
};

export async function measurePackets(lab: Lab, runs: number): Promise<readonly Row[]> {
  const hosts = new NetworkHosts(lab, 2, "off");
  try {
    await hosts.up();
    await hosts.startKeeping();
    await hosts.make([web, far, caller]);
    for (const each of [web, far, caller]) await hosts.run(each);
    const ways: readonly Way[] = [
      {
        what: "service address, same host",
        from: "docker exec caller-n1 ",
        direct: ["10.210.1.10", 8_080],
        led: ["10.210.224.1", 8_080],
      },
      {
        what: "service address, other host",
        from: "docker exec caller-n1 ",
        direct: ["10.210.2.10", 8_080],
        led: ["10.210.224.2", 8_080],
      },
      { what: "published port", from: "", direct: ["10.210.1.10", 8_080], led: [lab.ip("n1"), 8_000] },
    ];
    const rows: Row[] = [];
    for (const way of ways) rows.push(...(await measureWay(lab, way, runs)));
    return [...rows, ...(await measureRules(hosts, runs))];
  } finally {
    await lab.down();
  }
}

/** In turns: what else the machine does meets both. */
async function measureWay(lab: Lab, { what, from, direct, led }: Way, runs: number): Promise<readonly Row[]> {
  const pulled = { direct: [] as number[], led: [] as number[] };
  const asked = { direct: [] as number[], led: [] as number[] };
  for (let run = 0; run < runs * 2; run++) {
    for (const [kind, [address, port]] of [
      ["direct", direct],
      ["led", led],
    ] as const) {
      pulled[kind].push(Number(await lab.on("n1", `${from}origin pull ${address} ${port} ${PULL_SECONDS}`)));
      asked[kind].push(Number(await lab.on("n1", `${from}origin ask ${address} ${port} ${QUESTIONS}`)));
    }
  }
  const throughput = median(pulled.led) / median(pulled.direct);
  const latency = median(asked.led) / median(asked.direct);
  return [
    {
      what: `${what}: throughput`,
      davit: `${median(pulled.led).toFixed(0)} MB/s`,
      floor: `${median(pulled.direct).toFixed(0)} MB/s direct`,
      target: `≥ ${LEAST_THROUGHPUT} × (${throughput.toFixed(2)} ×)`,
      holds: throughput >= LEAST_THROUGHPUT,
    },
    {
      what: `${what}: latency`,
      davit: `${median(asked.led).toFixed(0)} µs`,
      floor: `${median(asked.direct).toFixed(0)} µs direct`,
      target: `≤ ${MOST_LATENCY} × (${latency.toFixed(2)} ×)`,
      holds: latency <= MOST_LATENCY,
    },
  ];
}

async function measureRules(hosts: NetworkHosts, runs: number): Promise<readonly Row[]> {
  const thousand = Array.from({ length: SERVICES }, (_, at) => bulk(at));
  const whole: number[] = [];
  const change: number[] = [];
  for (let run = 0; run < runs; run++) {
    await hosts.makeInTurn([web, far, caller]);
    whole.push(...(await hosts.makeInTurn([web, far, caller, ...thousand])));
    const [first = web, ...others] = thousand;
    const less = { ...first, endpoints: first.endpoints.slice(1) };
    for (let time = 0; time < CHANGES; time++)
      change.push(...(await hosts.makeInTurn([web, far, caller, time % 2 === 0 ? less : first, ...others])));
  }
  const row = (what: string, times: readonly number[], within: number): Row => ({
    what,
    davit: `${median(times).toFixed(0)} ms`,
    target: `≤ ${within} ms`,
    holds: median(times) <= within,
  });
  return [
    row(`${SERVICES} services × 3 endpoints in force`, whole, ALL_WITHIN_MS),
    row("one endpoint of them leaves or comes", change, ONE_WITHIN_MS),
  ];
}

function bulk(at: number): ServiceRoutes {
  const group = Math.floor(at / 250);
  const endpoints = [1, 2, 3].map((node) => endpoint(`10.210.${100 + node + 3 * group}.${2 + (at % 250)}`));
  const address = `10.210.${230 + group}.${2 + (at % 250)}`;
  return service(0, `bulk${at}`, endpoints, {
    serviceId: asId(`bulk${at}`),
    address,
    networks: inNetworks(`net${at % 100}`),
  });
}
