// Errors for people: what failed and why, each further fault on its own line, and the way out. Pure.

import { DavitError, reasonOf } from "../../core/model/errors.ts";

export function renderError(error: unknown, withStack: boolean): string {
  const lines = [`davit: ${reasonOf(error)}`];
  if (error instanceof DavitError) {
    for (const detail of error.details) {
      lines.push(
        `  - ${detail.where === undefined ? "" : `${detail.where}: `}${detail.message}${detail.wayOut === undefined ? "" : `; ${detail.wayOut}`}`,
      );
    }
    if (error.wayOut !== undefined) lines.push(`  way out: ${error.wayOut}`);
  } else if (!withStack) {
    lines.push("  this is a fault of davit's own; DAVIT_DEBUG=1 shows where");
  }
  if (withStack && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  return lines.join("\n");
}

/** The same as data, for `--json`. */
export function errorAsData(error: unknown): unknown {
  if (!(error instanceof DavitError)) return { code: "internal", message: reasonOf(error) };
  return { code: error.code, message: error.message, wayOut: error.wayOut, details: error.details };
}
