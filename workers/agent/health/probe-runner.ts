// One probe: an HTTP request or a TCP connection to the task's own address, or a command in its container.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { ContainerEngine } from "../../../src/ports/container-engine.ts";
import { endOfText, MAX_OUTPUT_BYTES } from "../loop/last-lines.ts";
import type { ProbeTarget } from "../plan/types.ts";
import type { ProbeResult, ProbeRunner } from "./prober.ts";

/** Runs probes from this node. */
export function createProbeRunner(engine: ContainerEngine): ProbeRunner {
  return {
    async probe(target) {
      try {
        return await runProbe(engine, target);
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

async function runProbe(engine: ContainerEngine, target: ProbeTarget): Promise<ProbeResult> {
  const { probe, timeoutMs } = target.health;
  switch (probe.kind) {
    case "http":
      return probeHttp(target, probe.port, probe.path, timeoutMs);
    case "tcp":
      return probeTcp(target, probe.port, timeoutMs);
    case "command":
      return probeCommand(engine, target, probe.argv, timeoutMs);
    case "shell":
      return probeCommand(engine, target, ["/bin/sh", "-c", probe.command], timeoutMs);
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
  target: ProbeTarget,
  argv: readonly string[],
  timeoutMs: number,
): Promise<ProbeResult> {
  let output = "";
  const decoder = new TextDecoder();
  const session = await engine.exec(target.containerId, { argv, tty: false, stdin: false }, (_, bytes) => {
    if (output.length < MAX_OUTPUT_BYTES) output += decoder.decode(bytes, { stream: true });
  });
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), timeoutMs);
  try {
    const ended = await Promise.race([session.exited, late]);
    if (ended === "late")
      return {
        ok: false,
        answer: `${describeProbe(target)}: no end within ${timeoutMs / 1_000} s${withOutput(output)}`,
      };
    return ended === 0
      ? { ok: true, answer: "" }
      : { ok: false, answer: `${describeProbe(target)}: exit code ${ended}${withOutput(output)}` };
  } finally {
    clearTimeout(timer);
    session.close();
  }
}

function withOutput(output: string): string {
  const end = endOfText(output);
  return end === "" ? "" : `: ${end}`;
}
