// Odd values of all kinds, and runtime options made of them: each field there or not.

import fc from "fast-check";
import type { RuntimeOptions } from "../../src/core/model/service-spec.ts";

export const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    "yes",
    "012",
    "1:30",
    "1e3",
    "~",
    "null",
    "0x1F",
    "2001-01-01",
    "$(HOME)",
    "{{.Node.Hostname}}",
    "{{ .Task.Name }}-{{.Task.Slot}}-$(X)",
    "$$(X)",
    "<<",
    "a: b",
    " lead",
    "-",
    "=",
    "1_000",
    ".inf",
  ),
);
export const word = fc.stringMatching(/^[A-Za-z0-9._/-]{1,20}$/);
export const path = fc.stringMatching(/^(\/[A-Za-z0-9._-]{1,8}){1,3}$/);
export const whole = (min: number, max: number) => fc.integer({ min, max });
export const ms = fc.oneof(fc.constant(0), whole(1, 900_000));
export const labels = fc.dictionary(fc.oneof(word, text), text, { maxKeys: 3 });
export const list = <Item>(item: fc.Arbitrary<Item>) => fc.array(item, { maxLength: 3 });
/** Every field there or not. */
const some = <Fields>(fields: {
  [Key in keyof Fields]-?: fc.Arbitrary<Exclude<Fields[Key], undefined>>;
}): fc.Arbitrary<Fields> => fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Fields>;

export const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });

/** Without the fields that are undefined. */
export function defined<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

export const runtime: fc.Arbitrary<RuntimeOptions> = some<RuntimeOptions>({
  capAdd: list(fc.constantFrom("NET_ADMIN", "CAP_SYS_ADMIN", "all")),
  capDrop: list(fc.constantFrom("ALL", "MKNOD")),
  privileged: fc.boolean(),
  securityOpt: list(
    fc.constantFrom(
      "no-new-privileges",
      "no-new-privileges:false",
      "seccomp=unconfined",
      "seccomp=x.json",
      "apparmor=docker-default",
      "apparmor:mine",
      "label=type:svirt",
      "label:disable",
      "odd",
    ),
  ),
  sysctls: fc.dictionary(
    fc.constantFrom(
      "net.core.somaxconn",
      "net/ipv4/ip_forward",
      "net.ipv4.tcp_syncookies",
      "kernel.shmmax",
      "vm.swappiness",
    ),
    word,
  ),
  ulimits: list(fc.record({ name: word, soft: whole(-1, 99), hard: whole(-1, 99) })),
  shmSizeBytes: whole(0, 1e9),
  devices: list(fc.record({ source: path, target: path, permissions: fc.constant("rwm") })),
  extraHosts: list(
    fc.constantFrom(
      "db:10.0.0.1",
      "DB.example.org:10.0.0.1",
      "node:host-gateway",
      "six:fe80::1",
      "under_score:10.0.0.2",
    ),
  ),
  dns: list(fc.constantFrom("10.0.0.1", "1.1.1.1", "8.8.8.8")),
  dnsSearch: list(fc.constantFrom("example.org", "Corp", ".")),
  dnsOptions: list(fc.constantFrom("ndots:2", "rotate")),
  pidMode: fc.constantFrom("host", "private"),
  ipcMode: fc.constantFrom("host", "private", "shareable", "none"),
  utsMode: fc.constant("host"),
  usernsMode: fc.constant("host"),
  cgroupNamespace: fc.constantFrom("host", "private"),
  cgroupParent: word,
  oomScoreAdj: whole(-999, 999),
  oomKillDisable: fc.boolean(),
  annotations: labels,
  deviceCgroupRules: list(fc.constant("c 1:3 rwm")),
  deviceRequests: list(
    fc
      .record({
        driver: optional(fc.constantFrom("nvidia", "amd")),
        count: optional(whole(-1, 3)),
        ids: optional(list(word)),
        capabilities: list(list(fc.constantFrom("gpu", "utility", "tpu"))),
        options: labels,
      })
      .map(defined),
  ) as fc.Arbitrary<NonNullable<RuntimeOptions["deviceRequests"]>>,
  runtimeName: fc.constantFrom("runc", "gvisor", "Kata_1"),
  storageOptions: fc.dictionary(fc.constantFrom("size", "dm"), fc.constantFrom("20g", "1000", "much")),
  blkio: fc.constant({ weight: 100 }),
  cpuShares: whole(0, 9_999),
  cpuPeriodUs: whole(1_000, 200_000),
  cpuQuotaUs: whole(-1, 200_000),
  cpuRealtimePeriodUs: whole(0, 9),
  cpuRealtimeRuntimeUs: whole(0, 9),
  cpuset: fc.constant("0-1"),
  memorySwapBytes: whole(-1, 1e9),
  memorySwappiness: whole(0, 100),
});
