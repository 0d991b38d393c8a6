// Where each kind of record lives: its table, and which of its fields have a column of their own. Everything else is in the JSON. Pure.

import type { RecordKind, RecordKinds } from "../../src/core/model/records.ts";

export type Cell = string | number | null;

type Table<Kind extends RecordKind> = {
  readonly table: string;
  readonly columns: Readonly<Record<string, (record: RecordKinds[Kind]) => Cell>>;
};

/** `idx` is the optimistic-concurrency index; kinds without it cannot be guarded. */
export const TABLES: { readonly [Kind in RecordKind]: Table<Kind> } = {
  cluster: { table: "cluster", columns: {} },
  service: {
    table: "service",
    columns: {
      name: ({ name }) => name,
      stack: ({ stack }) => stack ?? null,
      idx: ({ index }) => index,
      version: ({ version }) => version,
    },
  },
  serviceVersion: {
    table: "service_version",
    columns: {
      service_id: ({ serviceId }) => serviceId,
      version: ({ version }) => version,
      hash: ({ hash }) => hash,
      stable: ({ stable }) => (stable ? 1 : 0),
    },
  },
  rollout: { table: "rollout", columns: { state: ({ state }) => state } },
  task: {
    table: "task",
    columns: {
      service_id: ({ serviceId }) => serviceId,
      slot: ({ slot }) => slot,
      node_id: ({ nodeId }) => nodeId ?? null,
      desired: ({ desired }) => desired,
    },
  },
  taskStatus: { table: "task_status", columns: { state: ({ state }) => state, attempt: ({ attempt }) => attempt } },
  node: {
    table: "node",
    columns: {
      name: ({ name }) => name,
      idx: ({ index }) => index,
      availability: ({ availability }) => availability,
      subnet: ({ subnet }) => subnet,
    },
  },
  nodeStatus: {
    table: "node_status",
    columns: { boot_id: ({ bootId }) => bootId, unseen_since_ms: ({ unseenSinceMs }) => unseenSinceMs ?? null },
  },
  volume: {
    table: "volume",
    columns: { name: ({ name }) => name, stack: ({ stack }) => stack ?? null, idx: ({ index }) => index },
  },
  volumePin: { table: "volume_pin", columns: {} },
  network: {
    table: "network",
    columns: { name: ({ name }) => name, stack: ({ stack }) => stack ?? null, idx: ({ index }) => index },
  },
  freedAddress: { table: "freed_address", columns: {} },
  configFile: { table: "config_file", columns: {} },
  job: { table: "job", columns: { next_tick_at_ms: ({ nextTickAtMs }) => nextTickAtMs ?? null } },
  run: {
    table: "run",
    columns: { service_id: ({ serviceId }) => serviceId, number: ({ number }) => number, state: ({ state }) => state },
  },
  userToken: {
    table: "user_token",
    columns: { name: ({ name }) => name, idx: ({ index }) => index, expires_at_ms: ({ expiresAtMs }) => expiresAtMs },
  },
  registryLogin: { table: "registry_login", columns: { idx: ({ index }) => index } },
  issuerKey: { table: "issuer_key", columns: { created_at_ms: ({ createdAtMs }) => createdAtMs } },
  certificate: { table: "certificate", columns: { idx: ({ index }) => index } },
  acmeAccount: { table: "acme_account", columns: {} },
  authority: { table: "authority", columns: {} },
  clusterKey: { table: "cluster_key", columns: {} },
};

/** INSERT OR REPLACE for a kind: id, its columns, the JSON. */
export function putSql(kind: RecordKind): string {
  const names = ["id", ...Object.keys(TABLES[kind].columns), "record"];
  return `INSERT INTO ${TABLES[kind].table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})
    ON CONFLICT (id) DO UPDATE SET ${names
      .slice(1)
      .map((name) => `${name} = excluded.${name}`)
      .join(", ")}`;
}

/** The values for `putSql`. */
export function putValues<Kind extends RecordKind>(kind: Kind, record: RecordKinds[Kind]): Cell[] {
  const columns: Table<Kind>["columns"] = TABLES[kind].columns;
  return [record.id, ...Object.values(columns).map((read) => read(record)), JSON.stringify(record)];
}
