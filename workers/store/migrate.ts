// Brings a database file to the schema of this binary: a copy is kept first, each step is one transaction, and a file from a newer
// davit, or one whose steps were others, is refused.

import type { Database } from "bun:sqlite";
import { DavitError } from "../../src/core/model/errors.ts";
import type { Migration } from "../../src/store/migrations.ts";

const LEDGER = `CREATE TABLE IF NOT EXISTS migration (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT`;

/** Applies what is missing of `migrations`; gives the versions applied. `backup` is called once before the first change to an existing schema. */
export function migrate(
  database: Database,
  migrations: readonly Migration[],
  backup: (fromVersion: number) => void,
): readonly number[] {
  database.exec(LEDGER);
  const done = database
    .query<{ version: number; hash: string }, []>("SELECT version, hash FROM migration ORDER BY version")
    .all();
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  for (const { version, hash } of done) {
    const migration = known.get(version);
    if (migration === undefined) {
      throw new DavitError(
        "storage_failed",
        `open database: it was written by a newer davit (schema ${version}, this one knows ${migrations.at(-1)?.version ?? 0})`,
        {
          wayOut:
            "install that davit again, or restore the copy that it made before its first change (davit.db.schema-N)",
        },
      );
    }
    if (hash !== hashOf(migration)) {
      throw new DavitError(
        "storage_failed",
        `open database: step ${version} of its schema is not the one of this davit`,
        { wayOut: "use the davit that made this database" },
      );
    }
  }
  const missing = migrations.filter((migration) => !done.some(({ version }) => version === migration.version));
  if (missing.length > 0 && done.length > 0) backup(done.at(-1)?.version ?? 0);
  for (const migration of missing) {
    database.transaction(() => {
      database.exec(migration.sql);
      database
        .query("INSERT INTO migration (version, name, hash) VALUES (?, ?, ?)")
        .run(migration.version, migration.name, hashOf(migration));
    })();
  }
  return missing.map(({ version }) => version);
}

function hashOf(migration: Migration): string {
  return new Bun.CryptoHasher("sha256").update(migration.sql).digest("hex");
}
