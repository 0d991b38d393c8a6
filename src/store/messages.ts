// What goes between the Store port and its Worker. Every request gets one reply with its id.

import type { ErrorCode } from "../core/model/errors.ts";
import type { Epoch } from "../core/model/lease.ts";
import type { Commit } from "../ports/store.ts";

export type StoreCall =
  | { readonly call: "open"; readonly dataDir: string }
  | { readonly call: "load" }
  | { readonly call: "beginEpoch"; readonly next: Epoch; readonly atMs: number }
  | { readonly call: "commit"; readonly commit: Commit }
  | { readonly call: "putSetting"; readonly epoch: number; readonly name: string; readonly value: string }
  | { readonly call: "events"; readonly sinceSeq: number; readonly limit: number }
  | { readonly call: "audit"; readonly sinceSeq: number; readonly limit: number }
  | { readonly call: "close" };
export type StoreRequest = StoreCall & { readonly id: number };

export type StoreReply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly wayOut?: string;
    };
