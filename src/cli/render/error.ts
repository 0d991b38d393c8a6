// Errors for people: what failed and why, each further fault on its own line, and the way out. And the same as data. Pure.

import { DavitError, type ErrorDetail, reasonOf } from "../../core/model/errors.ts";
import { clean } from "./clean.ts";

/** Lines for standard error, without the last line break. */
export function renderError(error: unknown, withStack: boolean): string {
  const lines = [`davit: ${clean(reasonOf(error))}`];
  if (error instanceof DavitError) {
    lines.push(...error.details.map(renderDetail));
    if (error.wayOut !== undefined) lines.push(`  way out: ${error.wayOut}`);
  } else if (!withStack) {
    lines.push("  way out: this is a fault of davit's own; DAVIT_DEBUG=1 shows where");
  }
  if (withStack && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  return lines.join("\n");
}

function renderDetail({ at, where, message, wayOut }: ErrorDetail): string {
  const position = at === undefined ? "" : `${at.file}:${at.line}:${at.column} `;
  const place = `${position}${where === undefined ? "" : `${where}: `}`;
  const text = `${place}${clean(message)}${wayOut === undefined ? "" : `; ${wayOut}`}`;
  return `  - ${text.replaceAll("\n", "\n    ")}`;
}

/** What `--json` prints on standard error instead: code, message, wayOut, details. */
export function renderErrorAsJson(error: unknown): string {
  const data =
    error instanceof DavitError
      ? { code: error.code, message: error.message, wayOut: error.wayOut, details: error.details }
      : { code: "internal", message: reasonOf(error), details: [] };
  return JSON.stringify({ error: data }, undefined, 2);
}
