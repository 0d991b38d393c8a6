// The proxy's files: settings, maps, certificates. Written only when they differ, at once whole, readable by root alone.

import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface IngressFiles {
  /** Undefined when it is not there. */
  read(name: string): Promise<string | undefined>;
  /** False when it was so already. On the disk when it resolves. */
  write(name: string, text: string): Promise<boolean>;
  /** Names in a directory; none when it is not there. */
  list(directory: string): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
  /** Takes all of them away. */
  clear(): Promise<void>;
}

/** Files below a directory of the host. */
export function createIngressFiles(directory: string): IngressFiles {
  return {
    read: (name) => readIfThere(join(directory, name)),
    async write(name, text) {
      const path = join(directory, name);
      if ((await readIfThere(path)) === text) return false;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await open(`${path}.new`, "w", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
      return true;
    },
    async list(name) {
      try {
        return await readdir(join(directory, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      }
    },
    remove: (name) => rm(join(directory, name), { force: true }),
    clear: () => rm(directory, { recursive: true, force: true }),
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
