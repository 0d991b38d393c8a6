// Domain errors: a stable code, a sentence of what failed and why, and a way out. The API shows them as problem+json,
// the command line as two lines. Codes are part of the interface: add, never rename.

export type ErrorCode =
  | "invalid_input"
  | "not_found"
  | "ambiguous"
  | "already_exists"
  | "out_of_sequence"
  | "conflict"
  | "in_use"
  | "not_supported"
  | "not_yet"
  | "unauthenticated"
  | "forbidden"
  | "forked_history"
  | "unavailable"
  | "timeout"
  | "too_large"
  | "too_many"
  | "unplaceable"
  | "rollout_failed"
  | "ssh_failed"
  | "preflight_failed"
  | "bootstrap_failed"
  | "engine_failed"
  | "storage_failed"
  | "internal";

/** One fault among several, with where it is: in a file, and which key, preflight check or service it is about. */
export type ErrorDetail = {
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
  readonly where?: string;
  readonly message: string;
  readonly wayOut?: string;
};

/** An error that a person can act on. `message` reads "verb object: reason"; `wayOut` says what to do. */
export class DavitError extends Error {
  override readonly name = "DavitError";
  readonly code: ErrorCode;
  readonly wayOut: string | undefined;
  readonly details: readonly ErrorDetail[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly wayOut?: string; readonly details?: readonly ErrorDetail[]; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.wayOut = options.wayOut;
    this.details = options.details ?? [];
  }
}

/** The text of anything thrown, for messages and logs. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
