// What goes to the engine for a task, and what its answers are taken for.

import { describe, expect, test } from "vitest";
import { renderCreateBody } from "../../workers/agent/engine/create-body.ts";
import { faultOf, negotiatedVersion } from "../../workers/agent/engine/http-client.ts";
import { registryOf, splitReference } from "../../workers/agent/engine/image-reference.ts";
import { readContainer } from "../../workers/agent/engine/wire.ts";
import type { ConfigPaths } from "../../src/ports/container-engine.ts";
import type { TaskWork } from "../../src/core/model/work.ts";
import { workOf } from "./agent-world.ts";

type Body = { readonly HostConfig: Readonly<Record<string, unknown>> } & Readonly<Record<string, unknown>>;

function bodyOf(changes: Partial<TaskWork> = {}, configs: ConfigPaths = {}): Body {
  const request = { name: "web.1", labels: { "davit.task": "t" }, task: workOf(1, changes), network: "davit0" };
  return renderCreateBody(request, configs) as Body;
}

describe("a container's request", () => {
  test("has the task's own address, bounded logs, no restart policy, and no init unless asked", () => {
    const body = bodyOf();
    expect(body.HostConfig).toMatchObject({
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
    });
    expect(body.HostConfig).not.toHaveProperty("Init");
    expect(body["NetworkingConfig"]).toEqual({
      EndpointsConfig: { davit0: { IPAMConfig: { IPv4Address: "10.210.1.10" } } },
    });
  });

  test("publishes on the host address that was asked for", () => {
    const hostPorts = [
      { published: 8080, target: 80, protocol: "tcp", hostIp: "127.0.0.1" },
      { published: 5353, target: 53, protocol: "udp" },
    ] as const;
    expect(bodyOf({ hostPorts }).HostConfig["PortBindings"]).toEqual({
      "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }],
      "53/udp": [{ HostIp: "", HostPort: "5353" }],
    });
  });

  test("turns the engine's check off where the agent probes, and leaves the image's own otherwise", () => {
    const { health } = workOf(1);
    expect(bodyOf({ health: { ...health, probe: { kind: "tcp", port: 80 } } })["Healthcheck"]).toEqual({
      Test: ["NONE"],
    });
    expect(bodyOf({ health: { ...health, probe: { kind: "image" } } })).not.toHaveProperty("Healthcheck");
  });

  test("carries limits in the engine's units, and leaves out those that are not set", () => {
    const { resources } = workOf(1);
    const limited = { ...resources, limits: { cpus: 0.5, memoryBytes: 64 * 1024 * 1024, pids: 0 } };
    expect(bodyOf({ resources: limited }).HostConfig).toMatchObject({ NanoCpus: 500_000_000, Memory: 67_108_864 });
    expect(bodyOf({ resources: limited }).HostConfig).not.toHaveProperty("PidsLimit");
  });
});

describe("the engine's answers", () => {
  test.each([
    [404, "No such image: web:v9", "image_not_found"],
    [500, "manifest for web:v9 not found: manifest unknown: manifest unknown", "image_not_found"],
    [
      500,
      "driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:80 failed: port is already allocated",
      "port_taken",
    ],
    [500, "Error starting userland proxy: listen tcp4 0.0.0.0:22: bind: address already in use", "port_taken"],
    [500, "Address already in use", "failed"],
    [409, 'Conflict. The container name "/web.1" is already in use by container "ab"', "name_taken"],
    [500, "pull access denied for web, repository does not exist or may require 'docker login'", "image_not_found"],
    [500, "Get https://registry.lab/v2/: unauthorized: authentication required", "registry_denied"],
    [500, "Get https://10.0.0.1:5000/v2/: dial tcp 10.0.0.1:5000: connect: no route to host", "registry_unreachable"],
    [404, "No such container: ab", "not_found"],
    [400, "invalid mount config", "invalid"],
    [500, "something else", "failed"],
  ])("%i %s is %s", (status, message, fault) => {
    expect(faultOf(status, message)).toBe(fault);
  });

  test("the newest API version that both sides know is spoken, and one that is too old is refused by name", () => {
    expect(negotiatedVersion("1.41")).toBe("1.41");
    expect(negotiatedVersion("1.47")).toBe("1.47");
    expect(negotiatedVersion("1.60")).toBe("1.53");
    expect(() => negotiatedVersion("1.40")).toThrow("its API 1.40 is older than 1.41 (Docker 20.10)");
  });

  test("a container that never ran has no times, and a health check's last word is kept", () => {
    const state = {
      Status: "created",
      ExitCode: 0,
      OOMKilled: false,
      Error: "",
      StartedAt: "0001-01-01T00:00:00Z",
      FinishedAt: "0001-01-01T00:00:00Z",
    };
    const json = { Id: "ab", Name: "/web.1", Image: "sha256:1", Config: {}, State: state };
    expect(readContainer(json)).not.toHaveProperty("startedAtMs");
    const health = { Status: "unhealthy", Log: [{ ExitCode: 1, Output: "refused\n" }] };
    expect(readContainer({ ...json, State: { ...state, Health: health } }).engineHealth).toEqual({
      status: "unhealthy",
      answer: "HEALTHCHECK: exit code 1: refused",
    });
  });
});

test.each([
  ["web", "docker.io", "web", "latest"],
  ["library/web:v1", "docker.io", "library/web", "v1"],
  ["registry.lab:5000/shop/web:v2", "registry.lab:5000", "registry.lab:5000/shop/web", "v2"],
  ["registry.lab:5000/web", "registry.lab:5000", "registry.lab:5000/web", "latest"],
  ["localhost/web@sha256:ab", "localhost", "localhost/web", "sha256:ab"],
])("image %s is of registry %s: %s at %s", (reference, registry, repository, tag) => {
  expect(registryOf(reference)).toBe(registry);
  expect(splitReference(reference)).toEqual({ repository, tag });
});
