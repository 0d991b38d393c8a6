// One coordinator per data directory: an exclusive flock on a file that names its holder. The kernel lets go when the process ends, however it ends.

import { dlopen, FFIType } from "bun:ffi";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { DavitError } from "../../src/core/model/errors.ts";

const LOCK_EXCLUSIVE_NOW = 2 | 4;

/** Takes the lock, or says who has it. The result lets go. */
export function lockFile(path: string): () => void {
  const file = openSync(path, "a+", 0o600);
  const libc = dlopen(process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6", {
    flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  });
  if (libc.symbols.flock(file, LOCK_EXCLUSIVE_NOW) !== 0) {
    const holder = readFileSync(path, "utf8").trim();
    closeSync(file);
    throw new DavitError("conflict", `open data directory: another coordinator (pid ${holder || "unknown"}) uses it`, {
      wayOut: "stop that one first, or give this one its own --data-dir",
    });
  }
  ftruncateSync(file, 0);
  writeSync(file, `${process.pid}\n`);
  return () => closeSync(file);
}
