// How many questions about names the agent's name server answers, beside dnsmasq with the same thousand names, both on loopback of this
// machine and asked by dnsperf in turns; and how long an answer takes at two thousand questions a second.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../test/lab/cluster.ts";
import { mustRun, runCommand } from "../test/lab/run-command.ts";
import { median, percentile, type Row } from "./statistics.ts";

const NAMES = 1_000;
const QUESTIONS = 5_000;
const SECONDS = 3;
const RATE = 2_000;
const PORTS = { davit: 5_371, dnsmasq: 5_372 } as const;
const LEAST_RATIO = 0.8;
const MOST_P99_MS = 5;

type Server = keyof typeof PORTS;

export async function measureNames(runs: number): Promise<readonly Row[]> {
  await installTools();
  const folder = mkdtempSync(join(tmpdir(), "davit-names-"));
  const questions = join(folder, "questions");
  const hosts = join(folder, "hosts");
  const nameAt = (at: number): string => `service-${at % NAMES}`;
  writeFileSync(questions, Array.from({ length: QUESTIONS }, (_, at) => `${nameAt(at * 7)} A\n`).join(""));
  writeFileSync(
    hosts,
    Array.from({ length: NAMES }, (_, at) => `127.224.${at >> 8}.${at & 0xff} ${nameAt(at)}\n`).join(""),
  );
  const servers = startServers(hosts);
  try {
    for (const server of ["davit", "dnsmasq"] as const)
      await waitUntil(`${server} answers`, 20_000, async () =>
        (await ask(server, questions, ["-n", "1"])).includes("NOERROR"),
      );
    const rates: Record<Server, number[]> = { davit: [], dnsmasq: [] };
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      for (const server of ["davit", "dnsmasq"] as const) {
        const said = await ask(server, questions, ["-c", "20", "-q", "100", "-l", String(SECONDS)]);
        rates[server].push(Number(/Queries per second:\s+([\d.]+)/.exec(said)?.[1]));
      }
      const said = await ask("davit", questions, ["-c", "20", "-Q", String(RATE), "-l", String(SECONDS), "-v"]);
      const each = [...said.matchAll(/^> .* ([\d.]+)$/gm)].map((match) => Number(match[1]) * 1_000);
      times.push(percentile(each, 99));
    }
    return rowsOf(median(rates.davit), median(rates.dnsmasq), median(times));
  } finally {
    for (const server of servers) server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function rowsOf(davit: number, dnsmasq: number, p99Ms: number): readonly Row[] {
  return [
    {
      what: `names, ${NAMES} services: questions a second`,
      davit: `${davit.toFixed(0)}/s, ${(davit / dnsmasq).toFixed(2)} ×`,
      floor: `dnsmasq ${dnsmasq.toFixed(0)}/s`,
      target: `≥ ${LEAST_RATIO} ×`,
      holds: davit >= LEAST_RATIO * dnsmasq,
    },
    {
      what: `names at ${RATE} questions a second: 99th percentile`,
      davit: `${p99Ms.toFixed(2)} ms`,
      target: `≤ ${MOST_P99_MS} ms`,
      holds: p99Ms <= MOST_P99_MS,
    },
  ];
}

function startServers(hosts: string): readonly ChildProcess[] {
  const own = [
    process.execPath,
    join(import.meta.dirname, "dns-server.ts"),
    "127.0.0.1",
    String(PORTS.davit),
    String(NAMES),
  ];
  const other = `dnsmasq -k -p ${PORTS.dnsmasq} --listen-address=127.0.0.1 --bind-interfaces -h -R -H ${hosts} --pid-file= --user=root`;
  return [own, other.split(" ")].map(([program = "", ...rest]) => spawn(program, rest, { stdio: "ignore" }));
}

async function ask(server: Server, questions: string, options: readonly string[]): Promise<string> {
  const argv = ["dnsperf", "-s", "127.0.0.1", "-p", String(PORTS[server]), "-d", questions, ...options] as const;
  const { stdout } = await runCommand(argv);
  return stdout;
}

async function installTools(): Promise<void> {
  const missing = (await runCommand(["sh", "-c", "command -v dnsperf && command -v dnsmasq"])).exitCode !== 0;
  if (!missing) return;
  await mustRun(["apt-get", "-qq", "update"]);
  await mustRun(["apt-get", "-y", "-qq", "--no-install-recommends", "install", "dnsperf", "dnsmasq-base"]);
}
