// An engine on a real unix socket that answers `/_ping` as engines do, and everything else as a test says.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type SocketEngine = {
  readonly socketPath: string;
  /** Cuts what it still answers, and answers no more. */
  readonly kill: () => Promise<void>;
  /** The same, and leaves nothing behind. */
  readonly stop: () => Promise<void>;
};

/** Starts it; whoever does so stops it. */
export async function startSocketEngine(answer: () => Response): Promise<SocketEngine> {
  const folder = await mkdtemp(join(tmpdir(), "davit-engine-"));
  const socketPath = join(folder, "engine.sock");
  const server = Bun.serve({
    unix: socketPath,
    fetch: (request) =>
      new URL(request.url).pathname === "/_ping"
        ? new Response("OK", { headers: { "api-version": "1.41" } })
        : answer(),
  });
  const kill = (): Promise<void> => server.stop(true);
  const stop = async (): Promise<void> => {
    await kill();
    await rm(folder, { recursive: true });
  };
  return { socketPath, kill, stop };
}
