// How long it takes to load a stack of 500 services out of files with anchors, merges, includes and extends: each run in a process of its
// own, as a command is, beside what the YAML library alone needs for the same texts.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun } from "../test/lab/run-command.ts";
import { median, type Row } from "./statistics.ts";

const SERVICES = 500;
const FILES = 10;
const LIMIT_MS = 150;

/** Compose files on the disk, `compose.yaml` first. */
function writeFiles(directory: string): void {
  const names = Array.from({ length: FILES }, (_, at) => `part-${at}.yaml`);
  writeFileSync(join(directory, "base.yaml"), BASE);
  writeFileSync(join(directory, ".env"), "TAG=v7\n");
  writeFileSync(
    join(directory, "compose.yaml"),
    `name: big\ninclude:\n${names.map((name) => `  - ${name}\n`).join("")}services:\n  front: {image: front}\n`,
  );
  for (const [at, name] of names.entries()) writeFileSync(join(directory, name), part(at));
}

const BASE = `services:
  common:
    restart: always
    stop_grace_period: 20s
    logging: {driver: json-file, options: {max-size: 10m}}
    deploy: {update_config: {order: start-first, parallelism: 2}}
`;

function part(file: number): string {
  const services = Array.from({ length: SERVICES / FILES - (file === 0 ? 1 : 0) }, (_, at) => {
    const number = file * 100 + at;
    return `  svc${number}:
    <<: *service
    extends: {file: base.yaml, service: common}
    image: app-${number}:\${TAG:-v1}
    ports: ["${20_000 + number}:80"]
    environment:
      <<: *env
      NUMBER: "${number}"
`;
  });
  return `x-env: &env {LANG: C, LEVEL: "\${LEVEL:-info}"}
x-service: &service
  volumes: ["data-${file}:/data"]
  deploy:
    replicas: 2
    resources: {limits: {cpus: "0.5", memory: 64M}}
services:
${services.join("")}volumes:
  data-${file}:
`;
}

type Measured = Readonly<Record<"load" | "again" | "library", number>>;

/** Rows of the table. Needs no hosts. */
export async function measureCompose(runs: number): Promise<readonly Row[]> {
  const directory = mkdtempSync(join(tmpdir(), "davit-bench-compose-"));
  const script = join(import.meta.dirname, "compose-run.ts");
  const run = async (...more: readonly string[]): Promise<Partial<Measured>> =>
    JSON.parse(await mustRun([process.execPath, script, directory, String(SERVICES), ...more])) as Partial<Measured>;
  try {
    writeFiles(directory);
    const all: Partial<Measured>[] = [];
    for (let at = 0; at < runs; at++) all.push({ ...(await run()), ...(await run("library")) });
    const of = (key: keyof Measured): number => median(all.map((one) => one[key] ?? Number.NaN));
    return [
      {
        what: `load ${SERVICES} services from ${FILES + 2} Compose files`,
        davit: `${of("again").toFixed(0)} ms (first in a new process: ${of("load").toFixed(0)} ms)`,
        floor: `the YAML library alone, first: ${of("library").toFixed(0)} ms`,
        target: `≤ ${LIMIT_MS} ms`,
        holds: of("again") <= LIMIT_MS,
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
