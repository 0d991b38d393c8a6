// A directory of manifests, a file for each. What is there and was not made by an export is never written over; what an earlier export
// made and this one does not is named and left.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DavitError, reasonOf } from "../../core/model/errors.ts";
import type { Manifest, Note } from "../../kubernetes/manifest.ts";
import { MARK, printManifest, printNotes } from "../../kubernetes/print.ts";

const NOTES = "notes.txt";

/** Gives the names of files of an earlier export that are made no more. Throws `already_exists` before anything is written. */
export function writeManifests(
  cwd: string,
  name: string,
  manifests: readonly Manifest[],
  notes: readonly Note[],
): { readonly stale: readonly string[] } {
  const directory = resolve(cwd, name);
  const files = new Map(
    manifests.map((manifest) => [
      `${manifest.kind.toLowerCase()}-${manifest.metadata.name}.yaml`,
      `${MARK}\n${printManifest(manifest)}`,
    ]),
  );
  files.set(NOTES, `${printNotes(notes).join("\n")}\n`);
  try {
    const there = existsSync(directory) ? readdirSync(directory) : [];
    const own = there.filter((file) => (files.has(file) || file.endsWith(".yaml")) && isOurs(join(directory, file)));
    const others = there.filter((file) => files.has(file) && !own.includes(file));
    if (others.length > 0) throw occupied(name, others);
    mkdirSync(directory, { recursive: true });
    for (const [file, content] of files) writeFileSync(join(directory, file), content);
    return { stale: own.filter((file) => !files.has(file)).sort() };
  } catch (error) {
    if (error instanceof DavitError) throw error;
    throw new DavitError("storage_failed", `write ${name}: ${reasonOf(error)}`, {
      wayOut: "name a directory that can be written",
      cause: error,
    });
  }
}

function isOurs(path: string): boolean {
  try {
    return readFileSync(path, "utf8").startsWith(MARK);
  } catch {
    // a directory, or not for us to read
    return false;
  }
}

function occupied(name: string, files: readonly string[]): DavitError {
  return new DavitError("already_exists", `write ${name}: ${files.join(", ")}: there, and not made by an export`, {
    wayOut: "name another directory, or move what is there; nothing was written",
  });
}
