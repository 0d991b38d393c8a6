// The disk as the Compose loader asks for it: whole regular files of bounded size; what else may be at a path is data, not an error.

import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:fs";
import type { FileContent } from "../compose/tree/disk.ts";
import { MAX_FILE_BYTES } from "../compose/tree/parse.ts";
import { reasonOf } from "../core/model/errors.ts";

const ANYONE_RUNS = 0o111;

/** Reads an absolute path, following links; never waits for a pipe or a device. */
export function readDiskFile(path: string): FileContent {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(file);
    if (stat.isDirectory()) return { kind: "directory" };
    if (!stat.isFile()) return { kind: "failed", reason: "it is no regular file" };
    if (stat.size > MAX_FILE_BYTES) return { kind: "large", size: stat.size };
    return { kind: "file", bytes: readFileSync(file), isExecutable: (stat.mode & ANYONE_RUNS) !== 0 };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "missing" };
    if (code === "EISDIR") return { kind: "directory" };
    return { kind: "failed", reason: code === "EACCES" ? "permission denied" : reasonOf(error) };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Lower-case hex of SHA-256. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
