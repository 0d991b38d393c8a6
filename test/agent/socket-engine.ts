// An engine on a real unix socket that answers `/_ping` as engines do, and everything else as a test says.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type SocketEngine = { readonly socketPath: string; readonly stop: () => Promise<void> };

/** Starts it; `stop` cuts what it still answers. */
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
  const stop = async (): Promise<void> => {
    await server.stop(true);
    await rm(folder, { recursive: true });
  };
  return { socketPath, stop };
}
