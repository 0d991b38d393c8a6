// Views for tests of rendering: plain ones, and what differs.

import { asId } from "../../src/core/model/ids.ts";
import type { NodeView, ProgressView, TaskView } from "../../src/core/model/views.ts";

/** 2026-01-01T00:01:00Z: a minute after everything in these views. */
export const NOW_MS = Date.parse("2026-01-01T00:01:00Z");
const THEN = "2026-01-01T00:00:00.000Z";

export function taskView(name: string, changes: Partial<TaskView> = {}): TaskView {
  const [service = name, slot = "1"] = name.split(".");
  return {
    id: asId(`${service}${slot}`.padEnd(25, "x")),
    name,
    serviceId: service,
    service,
    slot: Number(slot),
    specVersion: 1,
    image: `web:v1@sha256:${"0".repeat(64)}`,
    desired: "running",
    desiredReason: "",
    state: "running",
    stateAt: THEN,
    attempt: 1,
    reason: "",
    healthy: true,
    node: "n1",
    nodeId: "n1",
    hostPorts: [],
    volumes: [],
    weight: 100,
    createdAt: THEN,
    ...changes,
  };
}

export function progressView(service: string, changes: Partial<ProgressView> = {}): ProgressView {
  return {
    service,
    serviceId: service,
    state: "converging",
    done: false,
    ok: true,
    message: "1 of 2 tasks are healthy",
    desired: 2,
    healthy: 1,
    updated: 1,
    tasks: [taskView(`${service}.1`), taskView(`${service}.2`, { state: "starting", healthy: undefined as never })],
    ...changes,
  };
}

export function nodeView(name: string, changes: Partial<NodeView> = {}): NodeView {
  return {
    id: asId(name.padEnd(25, "x")),
    index: 1,
    name,
    address: "10.0.0.11",
    availability: "active",
    presence: "ready",
    message: "",
    labels: {},
    engineLabels: {},
    platform: { os: "linux", arch: "x86_64" },
    kernel: "6.1",
    engineVersion: "20.10.24",
    agentVersion: "0.1.0",
    bootId: "boot",
    subnet: "10.210.1.0/24",
    meshAddress: "10.210.0.1",
    meshEndpoint: "10.79.0.11:51820",
    routesStale: false,
    hostKeyFingerprint: "SHA256:x",
    agentKey: "{}",
    resources: { cpus: 2, memoryBytes: 4 * 1024 ** 3, generic: {} },
    reservedByTasks: { cpus: 0, memoryBytes: 0, generic: {} },
    tasks: 3,
    joinedAt: THEN,
    ...changes,
  };
}
