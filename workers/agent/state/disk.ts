// The agent's own files behind a narrow port: durable ones (survive power loss once `write` resolved) and volatile ones (gone after a
// reboot, as leases and logins must be). Names may have a directory in front: "configs/ab".

import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Who may do what with a file: permission bits, owner and group by number. */
export type FileOwnership = { readonly mode: number; readonly uid: number; readonly gid: number };

export interface AgentDisk {
  /** Undefined when it was never written. */
  read(name: string): Promise<string | undefined>;
  /** Atomic, and on the disk when it resolves. */
  write(name: string, text: string): Promise<void>;
  /** Undefined when it was never written. */
  readBytes(name: string): Promise<Uint8Array | undefined>;
  /** As `write`, for contents that somebody else is shown. */
  writeBytes(name: string, bytes: Uint8Array, ownership: FileOwnership): Promise<void>;
  /** Names of the durable files in a directory; none when it is not there. */
  list(directory: string): Promise<readonly string[]>;
  /** Where a durable file is on the host. */
  path(name: string): string;
  /** No error if it is not there. */
  remove(name: string): Promise<void>;
  readVolatile(name: string): Promise<string | undefined>;
  /** Atomic; readable by root only. */
  writeVolatile(name: string, text: string): Promise<void>;
}

/** Files in a state directory and a tmpfs directory. */
export function createAgentDisk(stateDir: string, runtimeDir: string): AgentDisk {
  return {
    read: async (name) => (await readIfThere(join(stateDir, name)))?.toString("utf8"),
    write: (name, text) => writeDurably(join(stateDir, name), text),
    readBytes: (name) => readIfThere(join(stateDir, name)),
    writeBytes: (name, bytes, ownership) => writeDurably(join(stateDir, name), bytes, ownership),
    list: (directory) => listIfThere(join(stateDir, directory)),
    path: (name) => join(stateDir, name),
    remove: (name) => rm(join(stateDir, name), { force: true }),
    readVolatile: async (name) => (await readIfThere(join(runtimeDir, name)))?.toString("utf8"),
    async writeVolatile(name, text) {
      const path = join(runtimeDir, name);
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function listIfThere(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function writeDurably(path: string, contents: string | Uint8Array, ownership?: FileOwnership): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(contents);
    if (ownership !== undefined) {
      await file.chown(ownership.uid, ownership.gid);
      // after the owner: a change of owner drops set-id bits
      await file.chmod(ownership.mode);
    }
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
