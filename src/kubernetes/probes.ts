// A health check to probes. Compose's one check says when a task may be counted on, when it is to be restarted, and when it has started:
// that is a readiness, a liveness and a startup probe of the same command. Pure.

import type { Probe } from "../core/model/service-spec.ts";
import type { ServiceContext } from "./context.ts";
import { escapeDollars, type Fields, seconds } from "./manifest.ts";

export function probesOf({ spec, note }: ServiceContext): Fields {
  const { probe, intervalMs, timeoutMs, retries, startPeriodMs, startIntervalMs } = spec.template.health;
  const handler = handlerOf(probe);
  if (handler === undefined) {
    if (probe.kind === "image")
      note(
        "healthcheck",
        "Kubernetes does not run the image's own HEALTHCHECK, if it has one",
        "write the check as healthcheck.test, or healthcheck: {disable: true} if there is none",
      );
    return {};
  }
  const timeoutSeconds = atLeastOne(seconds(timeoutMs));
  const failureThreshold = atLeastOne(retries);
  const steady = { ...handler, periodSeconds: atLeastOne(seconds(intervalMs)), timeoutSeconds, failureThreshold };
  const startSeconds = atLeastOne(seconds(startIntervalMs));
  // failures of the start period are free, and as many as ever may follow it
  const startMs = startPeriodMs + Math.max(1, retries) * intervalMs;
  const startup = {
    ...handler,
    periodSeconds: startSeconds,
    timeoutSeconds,
    failureThreshold: atLeastOne(Math.ceil(startMs / (startSeconds * 1_000))),
  };
  return { startupProbe: startup, readinessProbe: steady, livenessProbe: steady };
}

function handlerOf(probe: Probe): Fields | undefined {
  switch (probe.kind) {
    case "image":
    case "none":
      return undefined;
    case "command":
      return { exec: { command: probe.argv.map(escapeDollars) } };
    case "shell":
      return { exec: { command: ["/bin/sh", "-c", escapeDollars(probe.command)] } };
    case "http":
      return { httpGet: { path: probe.path, port: probe.port } };
    case "tcp":
      return { tcpSocket: { port: probe.port } };
  }
}

function atLeastOne(value: number): number {
  return Math.max(1, value);
}
