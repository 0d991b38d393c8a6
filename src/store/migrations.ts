// The schema's steps, embedded in the binary, in order. Forward only: a step that was released is never edited, the next one mends it.

import initial from "../../migrations/0001_initial.sql" with { type: "text" };
import history from "../../migrations/0002_history.sql" with { type: "text" };
import coordinator from "../../migrations/0003_coordinator.sql" with { type: "text" };
import configs from "../../migrations/0004_configs.sql" with { type: "text" };
import jobs from "../../migrations/0005_jobs.sql" with { type: "text" };
import addresses from "../../migrations/0006_addresses.sql" with { type: "text" };
import certificates from "../../migrations/0007_certificates.sql" with { type: "text" };

export type Migration = { readonly version: number; readonly name: string; readonly sql: string };

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "initial", sql: initial },
  { version: 2, name: "history", sql: history },
  { version: 3, name: "coordinator", sql: coordinator },
  { version: 4, name: "configs", sql: configs },
  { version: 5, name: "jobs", sql: jobs },
  { version: 6, name: "addresses", sql: addresses },
  { version: 7, name: "certificates", sql: certificates },
];
