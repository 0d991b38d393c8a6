// What the ingress costs: requests a second through a node's own, beside a HAProxy with settings written by hand for the same containers, on
// the same host, with the same headers and retries and none of what makes the ingress change without a reload; asked by wrk in turns, over HTTP
// and over HTTPS with the same certificate.

import { type Cluster, waitUntil } from "../test/lab/cluster.ts";
import type { Lab } from "../test/lab/lab.ts";
import { mustRun, runCommand } from "../test/lab/run-command.ts";
import { pushTalker } from "../test/lab/talker-image.ts";
import { median, type Row } from "./statistics.ts";

const HOST = "bench.test";
const NODE = "n1";
const SECONDS = 2;
/** Of each, in a run: short ones in turns, so that what else the machine does meets both. */
const PULLS = 6;
const CONNECTIONS = 32;
const LEAST_RATIO = 0.95;
const BY_HAND = { http: 8_180, https: 8_543 } as const;
const OWN = { http: 80, https: 443 } as const;

type Scheme = keyof typeof OWN;

export async function measureIngress(cluster: Cluster, runs: number): Promise<readonly Row[]> {
  const { lab } = cluster;
  await installWrk();
  const image = await pushTalker(lab, ["v1"]);
  await cluster.coordinator.must(["deploy", "-f", "-", "--name", "bench"], { stdin: stackText(`${image}:v1`) });
  await startByHand(lab, await endpoints(cluster));
  for (const scheme of ["http", "https"] as const)
    for (const port of [OWN[scheme], BY_HAND[scheme]])
      await waitUntil(`port ${port} answers`, 30_000, async () => await answers(lab, scheme, port));
  const rows: Row[] = [];
  for (const scheme of ["http", "https"] as const) rows.push(await measure(lab, scheme, runs));
  await cluster.coordinator.must(["stack", "rm", "bench"]);
  return rows;
}

function stackText(image: string): string {
  const health = { http: { port: 8_080, path: "/" }, interval: "5s", start_interval: "200ms" };
  const ingress = [{ host: HOST, port: 8_080, http: "serve" }];
  const web = { image, deploy: { replicas: 3 }, "x-davit": { health, ingress } };
  return JSON.stringify({ name: "bench", services: { web } });
}

/** The addresses of its containers. */
async function endpoints(cluster: Cluster): Promise<readonly string[]> {
  const lists = await Promise.all(cluster.nodes.map((node) => cluster.lab.containers(node, "davit.service=bench_web")));
  return lists.flat().map(({ Id, NetworkSettings }) => {
    const address = NetworkSettings.Networks["davit0"]?.IPAddress;
    if (address === undefined) throw new Error(`container ${Id} has no address`);
    return address;
  });
}

/** What one would write for this host and these containers, and no more. */
async function startByHand(lab: Lab, addresses: readonly string[]): Promise<void> {
  const servers = addresses.map((address, at) => `  server s${at + 1} ${address}:8080 check\n`).join("");
  const config = `global
  user haproxy
  group haproxy
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

defaults
  mode http
  option http-keep-alive
  option forwardfor
  option redispatch 1
  retries 3
  retry-on conn-failure empty-response
  balance random
  timeout connect 1s
  timeout client 60s
  timeout server 60s

frontend door
  bind :${BY_HAND.http}
  bind :${BY_HAND.https} ssl crt /tmp/by-hand/site.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Forwarded-Proto http unless { ssl_fc }
  http-request disable-l7-retry unless { method GET HEAD OPTIONS }
  use_backend web if { hdr(host) -i ${HOST} ${HOST}:${BY_HAND.http} ${HOST}:${BY_HAND.https} }

backend web
${servers}`;
  await waitUntil("the certificate is on the node", 30_000, async () => {
    const files = await lab.on(NODE, "ls /var/lib/davit/ingress/certificates 2>/dev/null || true");
    return files.includes(HOST);
  });
  await lab.on(
    NODE,
    `mkdir -p /tmp/by-hand && cp /var/lib/davit/ingress/certificates/${HOST}*.pem /tmp/by-hand/site.pem
cat > /tmp/by-hand/haproxy.cfg <<'BYHAND'\n${config}BYHAND
systemd-run -q --unit=by-hand haproxy -W -db -f /tmp/by-hand/haproxy.cfg`,
  );
}

async function answers(lab: Lab, scheme: Scheme, port: number): Promise<boolean> {
  const at = `${HOST}:${port}:${lab.ip(NODE)}`;
  const { stdout } = await runCommand([
    "curl",
    "-sk",
    "-m5",
    "--resolve",
    at,
    "-o/dev/null",
    "-w%{http_code}",
    `${scheme}://${HOST}:${port}/`,
  ]);
  return stdout === "200";
}

/** Each is first in every other pair. */
async function measure(lab: Lab, scheme: Scheme, runs: number): Promise<Row> {
  const rates: Record<"own" | "hand", number[]> = { own: [], hand: [] };
  for (let run = 0; run < runs * PULLS; run++) {
    const both = ["own", "hand"] as const;
    for (const which of run % 2 === 0 ? both : both.toReversed())
      rates[which].push(await pull(lab, scheme, which === "own" ? OWN[scheme] : BY_HAND[scheme]));
  }
  const [own, hand] = [median(rates.own), median(rates.hand)];
  // of pairs that were asked one after the other
  const ratio = median(rates.own.map((rate, at) => rate / (rates.hand[at] ?? Number.NaN)));
  return {
    what: `ingress, ${scheme.toUpperCase()}: requests a second`,
    davit: `${own.toFixed(0)}/s, ${ratio.toFixed(2)} ×`,
    floor: `HAProxy by hand ${hand.toFixed(0)}/s`,
    target: `≥ ${LEAST_RATIO} ×`,
    holds: ratio >= LEAST_RATIO,
  };
}

/** Requests a second; throws if one was not answered with 200. The name leads to the node for this program alone. */
async function pull(lab: Lab, scheme: Scheme, port: number): Promise<number> {
  const url = `${scheme}://${HOST}:${port}/`;
  const hosts = `${lab.directory}/bench-hosts`;
  await Bun.write(hosts, `127.0.0.1 localhost\n${lab.ip(NODE)} ${HOST}\n`);
  const wrk = `mount --bind ${hosts} /etc/hosts && exec wrk -t 1 -c ${CONNECTIONS} -d ${SECONDS}s ${url}`;
  const said = await mustRun(["unshare", "--mount", "sh", "-c", wrk]);
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(`requests to port ${port} failed: ${said}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1]);
}

async function installWrk(): Promise<void> {
  if ((await runCommand(["sh", "-c", "command -v wrk"])).exitCode === 0) return;
  await mustRun(["apt-get", "-qq", "update"]);
  await mustRun(["apt-get", "-y", "-qq", "--no-install-recommends", "install", "wrk"]);
}
