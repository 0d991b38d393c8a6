// One probe: an HTTP request or a TCP connection to the task's own address, or a command in its container.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { ContainerEngine } from "../../../src/ports/container-engine.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { describeEnd, runCommand } from "../engine/run-command.ts";
import { MAX_OUTPUT_BYTES } from "../loop/last-lines.ts";
import type { ProbeTarget } from "../plan/types.ts";
import type { ProbeResult, ProbeRunner } from "./prober.ts";

/** Runs probes from this node. */
export function createProbeRunner(engine: ContainerEngine, clock: Clock): ProbeRunner {
  return {
    async probe(target) {
      try {
        return await runProbe(engine, clock, target);
      } catch (error) {
        return { ok: false, answer: `${describeProbe(target)}: ${reasonOf(error)}` };
      }
    },
  };
}

/** "GET :8080/health": as failures name it. */
export function describeProbe(target: ProbeTarget): string {
  const { probe } = target.health;
  switch (probe.kind) {
    case "http":
      return `GET :${probe.port}${probe.path}`;
    case "tcp":
      return `connect to port ${probe.port}`;
    case "command":
      return probe.argv.join(" ");
    case "shell":
      return probe.command;
    default:
      return probe.kind;
  }
}

async function runProbe(engine: ContainerEngine, clock: Clock, target: ProbeTarget): Promise<ProbeResult> {
  const { probe, timeoutMs } = target.health;
  switch (probe.kind) {
    case "http":
      return probeHttp(target, probe.port, probe.path, timeoutMs);
    case "tcp":
      return probeTcp(target, probe.port, timeoutMs);
    case "command":
      return probeCommand(engine, clock, target, probe.argv, timeoutMs);
    case "shell":
      return probeCommand(engine, clock, target, ["/bin/sh", "-c", probe.command], timeoutMs);
    default:
      return { ok: true, answer: "" };
  }
}

async function probeHttp(target: ProbeTarget, port: number, path: string, timeoutMs: number): Promise<ProbeResult> {
  try {
    const response = await fetch(`http://${target.address}:${port}${path}`, {
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: { "user-agent": "davit-probe" },
      keepalive: false,
    });
    const ok = response.status >= 200 && response.status < 400;
    if (ok) {
      await response.body?.cancel();
      return { ok, answer: "" };
    }
    const body = (await response.text()).slice(0, MAX_OUTPUT_BYTES).trim();
    return {
      ok,
      answer: `${describeProbe(target)}: ${response.status} ${response.statusText}${body === "" ? "" : `: ${body}`}`,
    };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError")
      throw new Error(`no answer within ${timeoutMs / 1_000} s`, { cause: error });
    throw error;
  }
}

async function probeTcp(target: ProbeTarget, port: number, timeoutMs: number): Promise<ProbeResult> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`no connection within ${timeoutMs / 1_000} s`)), timeoutMs);
  const connecting = Bun.connect({
    hostname: target.address,
    port,
    socket: { open: () => resolve(), data: () => {}, connectError: (_, error) => reject(error) },
  });
  connecting.catch((error: unknown) => reject(error instanceof Error ? error : new Error(String(error))));
  try {
    await promise;
    return { ok: true, answer: "" };
  } finally {
    clearTimeout(timer);
    connecting.then(
      (socket) => socket.end(),
      () => {},
    );
  }
}

async function probeCommand(
  engine: ContainerEngine,
  clock: Clock,
  target: ProbeTarget,
  argv: readonly string[],
  timeoutMs: number,
): Promise<ProbeResult> {
  const end = await runCommand(engine, clock, target.containerId, { argv }, timeoutMs);
  return end.exitCode === 0
    ? { ok: true, answer: "" }
    : { ok: false, answer: describeEnd(describeProbe(target), end, timeoutMs) };
}
