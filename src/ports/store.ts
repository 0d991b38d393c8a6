// The durable side of the state. Narrow: load all; commit a batch; read history. One commit is in flight at a time (the caller's door sees to it).

import type { AuditDraft, AuditEntry, Change, DavitEvent, EventDraft, RecordKind } from "../core/model/records.ts";
import type { MutableState } from "../core/model/world.ts";
import type { Epoch, EpochChain } from "../core/model/lease.ts";

/** The record must be at this index (0: must not exist), else the whole commit is refused with `out_of_sequence`. */
export type Guard = { readonly kind: RecordKind; readonly id: string; readonly index: number };

export type Commit = {
  /** Must be the store's newest epoch, else `forked_history`. */
  readonly epoch: number;
  readonly atMs: number;
  readonly changes: readonly Change[];
  readonly guards: readonly Guard[];
  readonly events: readonly EventDraft[];
  readonly audit: readonly AuditDraft[];
};

export type Committed = { readonly revision: number; readonly events: readonly DavitEvent[] };

export type Loaded = {
  readonly state: MutableState;
  readonly revision: number;
  readonly chain: EpochChain;
  /** Small durable values by name: holds, the largest lease granted. */
  readonly settings: ReadonlyMap<string, string>;
};

export interface Store {
  /** Everything, once, at start. */
  load(): Promise<Loaded>;
  /** Adds an epoch to the chain, durably; `forked_history` if another start came in between. */
  beginEpoch(next: Epoch): Promise<void>;
  /**
   * Durable when it resolves. Rejects with DavitError: `out_of_sequence` and `forked_history` leave the store as it was;
   * `storage_failed` means that the outcome is unknown: the caller must end the process and reload.
   */
  commit(commit: Commit): Promise<Committed>;
  putSetting(epoch: number, name: string, value: string): Promise<void>;
  /** Events with seq greater than `sinceSeq`, oldest first; `oldestSeq` tells whether some are already gone. */
  events(
    sinceSeq: number,
    limit: number,
  ): Promise<{ readonly events: readonly DavitEvent[]; readonly oldestSeq: number; readonly newestSeq: number }>;
  audit(sinceSeq: number, limit: number): Promise<readonly AuditEntry[]>;
  close(): Promise<void>;
}
