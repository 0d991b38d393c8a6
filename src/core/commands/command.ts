// What a command is: a pure function from the committed state to the changes that one request of a user makes, or a DavitError.
// The commit door runs it on the state of its turn, so what it checked is what it changes. Pure.

import type { NextTick } from "../model/job.ts";
import type { IdSource } from "../model/ids.ts";
import type { AuditDraft, Change, EventDraft, RecordKind } from "../model/records.ts";
import type { State } from "../model/world.ts";

/** What a command may know besides the state. */
export type CommandContext = {
  /** Wall-clock milliseconds since 1970. */
  readonly nowMs: number;
  readonly newId: IdSource;
  /** Lower-case hex of SHA-256 over a text. */
  readonly hash: (text: string) => string;
  /** Lower-case hex of SHA-256 over bytes. */
  readonly hashBytes: (bytes: Uint8Array) => string;
  readonly nextTick: NextTick;
  /** Nodes have a fence that ends what runs without a lease though the agent is dead. Absent: no host has one yet. */
  readonly hasFence?: boolean;
  /** Who asks for it: "socket" for the owner's socket, else the token's name. */
  readonly actor?: string;
  /** The coordinator has a hook that proves names by DNS; absent: it has none. */
  readonly provesByDns?: boolean;
};

/** The record must still be at this index when the commit happens (0: must not exist). */
export type RecordGuard = {
  readonly kind: RecordKind;
  readonly id: string;
  readonly index: number;
};

/** What a command wants committed. No changes: nothing to do, and then no events and no audit either. */
export type CommandOutcome<Result> = {
  readonly changes: readonly Change[];
  readonly guards: readonly RecordGuard[];
  readonly events: readonly EventDraft[];
  readonly audit: readonly AuditDraft[];
  readonly result: Result;
};

/** Throws DavitError to refuse. Must be pure: it may be run more than once. */
export type Command<Result> = (state: State, context: CommandContext) => CommandOutcome<Result>;

/** Longest message of an audit entry: a deploy of a hundred services must not fill the history with itself. */
const MAX_AUDIT_MESSAGE = 500;

/** The command with an audit entry for what it does; one that changes nothing leaves no entry. */
export function withAudit<Result>(actor: string, action: string, command: Command<Result>): Command<Result> {
  return (state, context) => {
    const outcome = command(state, { ...context, actor });
    if (outcome.changes.length === 0) return outcome;
    const [first] = outcome.events;
    const text = outcome.events.map((event) => event.message).join("; ");
    const message = text.length > MAX_AUDIT_MESSAGE ? `${text.slice(0, MAX_AUDIT_MESSAGE)}…` : text;
    const entry: AuditDraft = {
      actor,
      action,
      subject: first?.subject.name ?? "",
      outcome: "ok",
      message,
    };
    return { ...outcome, audit: [...outcome.audit, entry] };
  };
}

/** An outcome with nothing in it but a result. */
export function unchanged<Result>(result: Result): CommandOutcome<Result> {
  return { changes: [], guards: [], events: [], audit: [], result };
}
