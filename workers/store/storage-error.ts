// What SQLite says when a disk fails, in words a person can act on.

import { DavitError, reasonOf } from "../../src/core/model/errors.ts";

const WAYS_OUT: readonly (readonly [RegExp, string, string])[] = [
  [
    /SQLITE_FULL|full/i,
    "the disk is full",
    "free space on the file system of the data directory, then start again: nothing that was acknowledged is lost",
  ],
  [
    /SQLITE_READONLY|readonly|read-only/i,
    "the file is read-only",
    "make the data directory and davit.db writable for the user that runs davit up",
  ],
  [
    /SQLITE_CANTOPEN|unable to open/i,
    "the file cannot be opened",
    "check that the data directory exists and that the user that runs davit up may write there",
  ],
  [
    /SQLITE_CORRUPT|SQLITE_NOTADB|malformed|not a database/i,
    "the file is damaged",
    "keep the file, and restore the newest copy of the data directory; running containers are not touched meanwhile",
  ],
  [
    /SQLITE_BUSY|locked/i,
    "another program has the database open",
    "close it: the coordinator must be alone with its database",
  ],
  [
    /SQLITE_IOERR|disk I\/O/i,
    "the disk reports an error",
    "look at the kernel's log (dmesg) for the disk, then start again",
  ],
];

/** A thrown thing as `storage_failed`, unless it is a DavitError already. */
export function storageError(thrown: unknown, path: string): DavitError {
  if (thrown instanceof DavitError) return thrown;
  const code = (thrown as { code?: unknown }).code;
  const text = `${typeof code === "string" ? code : ""} ${reasonOf(thrown)}`;
  const known = WAYS_OUT.find(([pattern]) => pattern.test(text));
  const what = known === undefined ? "the database reports an error" : known[1];
  return new DavitError("storage_failed", `use ${path}: ${what} (${reasonOf(thrown)})`, {
    wayOut: known?.[2] ?? "start again; if it stays, look at the disk",
    cause: thrown,
  });
}
