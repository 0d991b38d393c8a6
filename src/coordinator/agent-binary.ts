// The binary that nodes run: this very program where the architecture is the same, else the one beside it. Packed once per content, as a
// stream, and kept in the data directory; joins read the packed file through one shared mapping, which is let go soon after the last of them.

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import { DavitError } from "../core/model/errors.ts";
import type { Clock, Timer } from "../ports/clock.ts";

export type Architecture = "x64" | "arm64";
export type AgentBinary = { readonly gz: Uint8Array; readonly sha256: string };

const OWN: Architecture = process.arch === "arm64" ? "arm64" : "x64";
/** The mapping counts as this process's memory while it is held: long enough for hosts that are joined one after another, no longer. */
const HELD_MS = 60_000;

type Packed = { readonly path: string; readonly sha256: string };
type Held = { readonly binary: AgentBinary; timer: Timer };

/** Gives the agent's binary for an architecture, packing each content at most once. */
export function createAgentBinaries(
  dataDir: string,
  clock: Clock,
): (architecture: Architecture) => Promise<AgentBinary> {
  const packing = new Map<Architecture, Promise<Packed>>();
  const held = new Map<Architecture, Held>();

  function hold(architecture: Architecture, { path, sha256 }: Packed): AgentBinary {
    const known = held.get(architecture);
    known?.timer.cancel();
    const binary = known?.binary ?? { gz: Bun.mmap(path), sha256 };
    held.set(architecture, { binary, timer: clock.after(HELD_MS, () => release(architecture)) });
    return binary;
  }

  function release(architecture: Architecture): void {
    held.delete(architecture);
    // the collector sees a small object, not the 60 MB that are mapped behind it, and would let it lie for hours
    Bun.gc(true);
  }

  return async (architecture) => {
    let found = packing.get(architecture);
    if (found === undefined) {
      found = pack(architecture, dataDir);
      packing.set(architecture, found);
      // a file that appears later must be found by the next join
      found.catch(() => packing.delete(architecture));
    }
    return hold(architecture, await found);
  };
}

async function pack(architecture: Architecture, dataDir: string): Promise<Packed> {
  const source = pathOf(architecture);
  const sha256 = await hashOf(source);
  const path = join(dataDir, `agent-${architecture}-${sha256.slice(0, 16)}.gz`);
  if (!existsSync(path)) {
    // the fastest level: a slow line costs less than packing harder on a small coordinator
    const gzip = createGzip({ level: constants.Z_BEST_SPEED });
    await pipeline(createReadStream(source), gzip, createWriteStream(`${path}.new`, { mode: 0o600 }));
    await rename(`${path}.new`, path);
  }
  return { path, sha256 };
}

function pathOf(architecture: Architecture): string {
  const isCompiled = import.meta.url.startsWith("file:///$bunfs/");
  if (isCompiled && architecture === OWN && process.platform === "linux") return process.execPath;
  const name = `davit-linux-${architecture}`;
  const place = isCompiled ? dirname(process.execPath) : join(import.meta.dirname, "../../dist");
  const path = join(place, name);
  if (existsSync(path)) return path;
  throw new DavitError("bootstrap_failed", `find the agent for linux-${architecture}: ${path} is not there`, {
    wayOut: `put ${name} of the same release beside the coordinator's binary (npm run build makes it in dist/), then join again`,
  });
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
