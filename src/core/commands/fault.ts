// One thing that is wrong with a specification, and the error that lists them all. Pure.

import { DavitError, type ErrorCode, type ErrorDetail } from "../model/errors.ts";

export type Fault = ErrorDetail & { readonly code: ErrorCode };

export function invalid(where: string, message: string): Fault {
  return { code: "invalid_input", where, message };
}

/** Throws one DavitError that lists every fault, if there is one; its code is that of the gravest. */
export function refuse(what: string, faults: readonly Fault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const gravest = faults.find((fault) => fault.code === "invalid_input") ?? first;
  const message =
    faults.length === 1
      ? `${what}: ${first.where === undefined ? "" : `${first.where}: `}${first.message}`
      : `${what}: ${faults.length} things are wrong with it`;
  const wayOut = faults.length === 1 ? first.wayOut : "correct each of them; nothing was changed";
  throw new DavitError(gravest.code, message, {
    ...(wayOut === undefined ? {} : { wayOut }),
    details: faults.map(({ code: _code, ...detail }) => detail),
  });
}
