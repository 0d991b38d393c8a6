// The Store port on SQLite: sends each call to a Worker that owns the file and answers in order.

import { mkdirSync } from "node:fs";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { RecordKind } from "../core/model/records.ts";
import { emptyState } from "../core/model/world.ts";
import type { Clock } from "../ports/clock.ts";
import type { Committed, Loaded, Store } from "../ports/store.ts";
import type { AuditEntry } from "../core/model/records.ts";
import type { StoreCall, StoreReply } from "./messages.ts";

type LoadedRows = {
  readonly records: readonly (readonly [RecordKind, readonly { readonly id: string }[]])[];
  readonly revision: number;
  readonly chain: Loaded["chain"];
  readonly settings: readonly (readonly [string, string])[];
};

/** What the live connection reported at opening: `synchronous` 2 is FULL. */
export type OpenedStore = {
  readonly store: Store;
  readonly pragmas: { readonly synchronous: number; readonly journalMode: string };
};

/** Opens (and creates, and migrates) the database in a directory. Rejects with `storage_failed` or `conflict`, in words. */
export async function openStore(input: {
  readonly dataDir: string;
  readonly clock: Pick<Clock, "nowMs">;
}): Promise<OpenedStore> {
  try {
    mkdirSync(input.dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DavitError("storage_failed", `make data directory ${input.dataDir}: ${reasonOf(cause)}`, {
      wayOut: "choose another with --data-dir",
      cause,
    });
  }
  const worker = new StoreWorker();
  try {
    const pragmas = await worker.call<OpenedStore["pragmas"]>({ call: "open", dataDir: input.dataDir });
    return { store: storeOn(worker, input.clock), pragmas };
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

function storeOn(worker: StoreWorker, clock: Pick<Clock, "nowMs">): Store {
  return {
    load: async () => toLoaded(await worker.call<LoadedRows>({ call: "load" })),
    beginEpoch: (next) => worker.call({ call: "beginEpoch", next, atMs: clock.nowMs() }),
    commit: (commit) => worker.call<Committed>({ call: "commit", commit }),
    putSetting: (epoch, name, value) => worker.call({ call: "putSetting", epoch, name, value }),
    events: (sinceSeq, limit) => worker.call({ call: "events", sinceSeq, limit }),
    audit: (sinceSeq, limit) => worker.call<readonly AuditEntry[]>({ call: "audit", sinceSeq, limit }),
    close: async () => {
      await worker.call({ call: "close" });
      worker.terminate();
    },
  };
}

function toLoaded(rows: LoadedRows): Loaded {
  const state = emptyState();
  for (const [kind, records] of rows.records)
    for (const record of records) (state[kind] as Map<string, unknown>).set(record.id, record);
  return { state, revision: rows.revision, chain: rows.chain, settings: new Map(rows.settings) };
}

/** In the compiled binary every module lives beside its root, and the worker is an entry point of its own there. */
function workerUrl(): URL {
  const isCompiled = import.meta.url.startsWith("file:///$bunfs/");
  return new URL(isCompiled ? "./workers/store/main.js" : "../../workers/store/main.ts", import.meta.url);
}

type Pending = { readonly resolve: (value: never) => void; readonly reject: (error: unknown) => void };

class StoreWorker {
  readonly #worker = new Worker(workerUrl());
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  constructor() {
    this.#worker.onmessage = (event: MessageEvent<StoreReply>) => this.#settle(event.data);
    this.#worker.onerror = (event) => this.#failAll(event.message);
    this.#worker.addEventListener("close", () => this.#failAll("its worker ended"));
  }

  call<Value>(call: StoreCall): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ ...call, id });
    });
  }

  terminate(): void {
    this.#worker.terminate();
  }

  #settle(reply: StoreReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (pending === undefined) return;
    if (reply.ok) pending.resolve(reply.value as never);
    else
      pending.reject(
        new DavitError(reply.code, reply.message, reply.wayOut === undefined ? {} : { wayOut: reply.wayOut }),
      );
  }

  /** What was under way may or may not be on the disk. */
  #failAll(why: string): void {
    for (const pending of this.#pending.values()) {
      pending.reject(
        new DavitError("storage_failed", `use the store: ${why}; the outcome of the last change is unknown`, {
          wayOut: "start the coordinator again: it reloads what is on the disk",
        }),
      );
    }
    this.#pending.clear();
  }
}
