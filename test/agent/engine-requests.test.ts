// What goes to the engine for a task, and what its answers are taken for.

import { describe, expect, test } from "vitest";
import type { ContainerSpec } from "../../src/core/model/service-spec.ts";
import { lackOf } from "../../workers/agent/engine/engine-limits.ts";
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

describe("what else a container's request may have", () => {
  function withContainer(changes: Partial<ContainerSpec>, configs: ConfigPaths = {}): Body {
    return bodyOf({ container: { ...workOf(1).container, ...changes } }, configs);
  }

  test("every runtime option stands in the engine's own words", () => {
    const rates = [{ path: "/dev/sda", rate: 5 }];
    const { HostConfig } = withContainer({
      runtime: {
        capAdd: ["NET_ADMIN"],
        capDrop: ["ALL"],
        privileged: true,
        securityOpt: ["no-new-privileges"],
        sysctls: { "net.core.somaxconn": "1" },
        ulimits: [{ name: "nofile", soft: 1, hard: 2 }],
        shmSizeBytes: 3,
        devices: [{ source: "/dev/a", target: "/dev/b", permissions: "r" }],
        extraHosts: ["a:1.2.3.4"],
        dns: ["1.1.1.1"],
        dnsSearch: ["lab"],
        dnsOptions: ["ndots:1"],
        pidMode: "host",
        ipcMode: "none",
        utsMode: "host",
        usernsMode: "host",
        cgroupNamespace: "private",
        cgroupParent: "/p",
        oomScoreAdj: 4,
        oomKillDisable: true,
        annotations: { a: "b" },
        deviceCgroupRules: ["c 1:1 r"],
        deviceRequests: [{ driver: "x", count: -1, capabilities: [["gpu"]], options: {} }],
        runtimeName: "runc",
        storageOptions: { size: "1g" },
        blkio: {
          weight: 10,
          weightDevices: [{ path: "/dev/sda", weight: 20 }],
          readBytes: rates,
          writeBytes: rates,
          readOperations: rates,
          writeOperations: rates,
        },
        cpuShares: 5,
        cpuPeriodUs: 6,
        cpuQuotaUs: 7,
        cpuRealtimePeriodUs: 8,
        cpuRealtimeRuntimeUs: 9,
        cpuset: "0-1",
        memorySwapBytes: -1,
        memorySwappiness: 0,
      },
    });
    const Rates = [{ Path: "/dev/sda", Rate: 5 }];
    expect(HostConfig).toMatchObject({
      CapAdd: ["NET_ADMIN"],
      CapDrop: ["ALL"],
      Privileged: true,
      SecurityOpt: ["no-new-privileges"],
      Sysctls: { "net.core.somaxconn": "1" },
      Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
      ShmSize: 3,
      Devices: [{ PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "r" }],
      ExtraHosts: ["a:1.2.3.4"],
      Dns: ["1.1.1.1"],
      DnsSearch: ["lab"],
      DnsOptions: ["ndots:1"],
      PidMode: "host",
      IpcMode: "none",
      UTSMode: "host",
      UsernsMode: "host",
      CgroupnsMode: "private",
      CgroupParent: "/p",
      OomScoreAdj: 4,
      OomKillDisable: true,
      Annotations: { a: "b" },
      DeviceCgroupRules: ["c 1:1 r"],
      DeviceRequests: [{ Driver: "x", Count: -1, Capabilities: [["gpu"]], Options: {} }],
      Runtime: "runc",
      StorageOpt: { size: "1g" },
      BlkioWeight: 10,
      BlkioWeightDevice: [{ Path: "/dev/sda", Weight: 20 }],
      BlkioDeviceReadBps: Rates,
      BlkioDeviceWriteBps: Rates,
      BlkioDeviceReadIOps: Rates,
      BlkioDeviceWriteIOps: Rates,
      CpuShares: 5,
      CpuPeriod: 6,
      CpuQuota: 7,
      CpuRealtimePeriod: 8,
      CpuRealtimeRuntime: 9,
      CpusetCpus: "0-1",
      MemorySwap: -1,
      MemorySwappiness: 0,
    });
  });

  test("mounts of every kind: the engine makes the missing source of a bind only where that is asked for", () => {
    const { HostConfig } = withContainer(
      {
        mounts: [
          { kind: "volume", volume: "d", target: "/d", readOnly: false, noCopy: true, subpath: "s" },
          { kind: "volume", volume: "e", target: "/e", readOnly: true },
          { kind: "bind", source: "/s", target: "/b", readOnly: true, propagation: "rslave" },
          { kind: "bind", source: "/m", target: "/c", readOnly: false, createSource: true, propagation: "shared" },
          { kind: "config", config: "ab", name: "site", target: "/site", mode: 0o444 },
          { kind: "tmpfs", target: "/t", sizeBytes: 1, mode: 0o700 },
        ],
      },
      { "/site": "/var/lib/davit/configs/ab.444.0.0" },
    );
    expect(HostConfig["Binds"]).toEqual(["/m:/c:rw,shared"]);
    expect(HostConfig["Mounts"]).toEqual([
      {
        Type: "volume",
        Source: "d",
        Target: "/d",
        ReadOnly: false,
        VolumeOptions: { NoCopy: true, Subpath: "s" },
      },
      { Type: "volume", Source: "e", Target: "/e", ReadOnly: true },
      { Type: "bind", Source: "/s", Target: "/b", ReadOnly: true, BindOptions: { Propagation: "rslave" } },
      { Type: "bind", Source: "/var/lib/davit/configs/ab.444.0.0", Target: "/site", ReadOnly: true },
      { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1, Mode: 0o700 } },
    ]);
  });

  test.each(["host", "none"] as const)("with network mode %s it joins no network of davit's", (networkMode) => {
    const body = withContainer({ networkMode });
    expect(body.HostConfig["NetworkMode"]).toBe(networkMode);
    expect(body).not.toHaveProperty("NetworkingConfig");
  });

  test("an engine is not asked for what its API would drop without a word", () => {
    const { container } = workOf(1);
    const annotated = { ...container, runtime: { annotations: { a: "b" } } };
    expect(lackOf(annotated, "1.41")).toBe(
      "annotations needs Docker 24 (API 1.43); the engine here speaks API 1.41: upgrade it, or leave the key out",
    );
    expect(lackOf(annotated, "1.43")).toBeUndefined();
    const below = { kind: "volume", volume: "d", target: "/d", readOnly: false, subpath: "s" } as const;
    expect(lackOf({ ...annotated, mounts: [below] }, "1.44")).toMatch(/^volumes\[\]\.volume\.subpath needs Docker 26/);
    expect(lackOf(container, "1.41")).toBeUndefined();
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
