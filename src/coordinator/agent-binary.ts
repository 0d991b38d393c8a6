// The binary that nodes run: this very program where the architecture is the same, else the one beside it. Packed once per content and
// kept in the data directory, since packing a hundred megabytes takes seconds.

import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { DavitError } from "../core/model/errors.ts";

export type Architecture = "x64" | "arm64";
export type AgentBinary = { readonly gz: Uint8Array; readonly sha256: string };

const OWN: Architecture = process.arch === "arm64" ? "arm64" : "x64";

/** Gives the agent's binary for an architecture, packing each at most once at a time. */
export function createAgentBinaries(dataDir: string): (architecture: Architecture) => Promise<AgentBinary> {
  const packed = new Map<Architecture, Promise<AgentBinary>>();
  return (architecture) => {
    let found = packed.get(architecture);
    if (found === undefined) {
      found = pack(architecture, dataDir);
      packed.set(architecture, found);
      // a file that appears later must be found by the next join
      found.catch(() => packed.delete(architecture));
    }
    return found;
  };
}

async function pack(architecture: Architecture, dataDir: string): Promise<AgentBinary> {
  const path = pathOf(architecture);
  const sha256 = await hashOf(path);
  const cache = join(dataDir, `agent-${architecture}-${sha256.slice(0, 16)}.gz`);
  if (existsSync(cache)) return { gz: new Uint8Array(await readFile(cache)), sha256 };
  // the fastest level: a slow line costs less than packing harder on a small coordinator
  const gz = new Uint8Array(await promisify(gzip)(await readFile(path), { level: constants.Z_BEST_SPEED }));
  await writeFile(`${cache}.new`, gz, { mode: 0o600 });
  await rename(`${cache}.new`, cache);
  return { gz, sha256 };
}

function pathOf(architecture: Architecture): string {
  const isCompiled = import.meta.url.startsWith("file:///$bunfs/");
  if (isCompiled && architecture === OWN && process.platform === "linux") return process.execPath;
  const name = `davit-linux-${architecture}`;
  const places = isCompiled ? [dirname(process.execPath)] : [join(import.meta.dirname, "../../dist")];
  const found = places.map((place) => join(place, name)).find(existsSync);
  if (found !== undefined) return found;
  throw new DavitError(
    "bootstrap_failed",
    `find the agent for linux-${architecture}: ${join(places[0] ?? ".", name)} is not there`,
    {
      wayOut: `put ${name} of the same release beside the coordinator's binary (npm run build makes it in dist/), then join again`,
    },
  );
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
