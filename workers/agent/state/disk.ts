// The agent's own files behind a narrow port: durable ones (survive power loss once `write` resolved) and volatile ones (gone after a
// reboot, as leases and logins must be).

import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface AgentDisk {
  /** Undefined when it was never written. */
  read(name: string): Promise<string | undefined>;
  /** Atomic, and on the disk when it resolves. */
  write(name: string, text: string): Promise<void>;
  /** No error if it is not there. */
  remove(name: string): Promise<void>;
  readVolatile(name: string): Promise<string | undefined>;
  /** Atomic; readable by root only. */
  writeVolatile(name: string, text: string): Promise<void>;
}

/** Files in a state directory and a tmpfs directory. */
export function createAgentDisk(stateDir: string, runtimeDir: string): AgentDisk {
  return {
    read: (name) => readIfThere(join(stateDir, name)),
    write: (name, text) => writeDurably(join(stateDir, name), text),
    remove: (name) => rm(join(stateDir, name), { force: true }),
    readVolatile: (name) => readIfThere(join(runtimeDir, name)),
    async writeVolatile(name, text) {
      const path = join(runtimeDir, name);
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
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

async function writeDurably(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  // the rename itself is durable only once the directory is
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
