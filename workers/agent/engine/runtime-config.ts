// The options that go to the engine as they are, in its own words: the rest of HostConfig. Pure.

import type { BlockIoLimits, DeviceRate, DeviceRequest, RuntimeOptions } from "../../../src/core/model/service-spec.ts";

type Fields = Readonly<Record<string, unknown>>;

/** HostConfig fields of a spec's runtime options. Absent options are left out: the engine's defaults hold. */
export function runtimeConfig(runtime: RuntimeOptions): Fields {
  return defined({
    CapAdd: runtime.capAdd,
    CapDrop: runtime.capDrop,
    Privileged: runtime.privileged,
    SecurityOpt: runtime.securityOpt,
    Sysctls: runtime.sysctls,
    Ulimits: runtime.ulimits?.map((limit) => ({ Name: limit.name, Soft: limit.soft, Hard: limit.hard })),
    ShmSize: runtime.shmSizeBytes,
    ExtraHosts: runtime.extraHosts,
    Dns: runtime.dns,
    DnsSearch: runtime.dnsSearch,
    DnsOptions: runtime.dnsOptions,
    PidMode: runtime.pidMode,
    IpcMode: runtime.ipcMode,
    UTSMode: runtime.utsMode,
    UsernsMode: runtime.usernsMode,
    CgroupnsMode: runtime.cgroupNamespace,
    CgroupParent: runtime.cgroupParent,
    OomScoreAdj: runtime.oomScoreAdj,
    OomKillDisable: runtime.oomKillDisable,
    Annotations: runtime.annotations,
    Runtime: runtime.runtimeName,
    StorageOpt: runtime.storageOptions,
    ...devices(runtime),
    ...processor(runtime),
    MemorySwap: runtime.memorySwapBytes,
    MemorySwappiness: runtime.memorySwappiness,
    ...blockIo(runtime.blkio),
  });
}

function devices(runtime: RuntimeOptions): Fields {
  return {
    Devices: runtime.devices?.map((device) => ({
      PathOnHost: device.source,
      PathInContainer: device.target,
      CgroupPermissions: device.permissions,
    })),
    DeviceCgroupRules: runtime.deviceCgroupRules,
    DeviceRequests: runtime.deviceRequests?.map(deviceRequest),
  };
}

function deviceRequest(request: DeviceRequest): Fields {
  return defined({
    Driver: request.driver,
    Count: request.count,
    DeviceIDs: request.ids,
    Capabilities: request.capabilities,
    Options: request.options,
  });
}

function processor(runtime: RuntimeOptions): Fields {
  return {
    CpuShares: runtime.cpuShares,
    CpuPeriod: runtime.cpuPeriodUs,
    CpuQuota: runtime.cpuQuotaUs,
    CpuRealtimePeriod: runtime.cpuRealtimePeriodUs,
    CpuRealtimeRuntime: runtime.cpuRealtimeRuntimeUs,
    CpusetCpus: runtime.cpuset,
  };
}

function blockIo(limits: BlockIoLimits = {}): Fields {
  const rates = (list: readonly DeviceRate[] | undefined): readonly Fields[] | undefined =>
    list?.map(({ path, rate }) => ({ Path: path, Rate: rate }));
  return {
    BlkioWeight: limits.weight,
    BlkioWeightDevice: limits.weightDevices?.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    BlkioDeviceReadBps: rates(limits.readBytes),
    BlkioDeviceWriteBps: rates(limits.writeBytes),
    BlkioDeviceReadIOps: rates(limits.readOperations),
    BlkioDeviceWriteIOps: rates(limits.writeOperations),
  };
}

/** The fields that have a value. */
export function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
