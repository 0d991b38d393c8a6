// A served API over an in-memory backend, on a socket and on a free port, with clients for both. Each test makes its own and stops it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { serveApi } from "../../src/api/serve.ts";
import { createIssuerKey } from "../../src/auth/keys.ts";
import { createSigner } from "../../src/auth/signer.ts";
import { createVerifier } from "../../src/auth/verifier.ts";
import { createClient } from "../../src/client/client.ts";
import type { DavitClient } from "../../src/client/types.ts";
import { DavitError } from "../../src/core/model/errors.ts";
import type { Role } from "../../src/core/model/records.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Signer } from "../../src/ports/signer.ts";
import { MemoryBackend } from "../fakes/memory-backend.ts";

export type Serving = {
  readonly backend: MemoryBackend;
  readonly socketPath: string;
  readonly url: string;
  readonly signer: Signer;
  /** The owner's client, over the socket. */
  readonly client: DavitClient;
  /** Lines that the API logged as errors. */
  readonly errors: string[];
  /** A client over TCP with a new token of this role. */
  readonly clientOf: (role: Role, stack?: string) => Promise<DavitClient>;
  readonly tokenOf: (role: Role, stack?: string) => Promise<string>;
};

export async function serve(options: { readonly keepAliveMs?: number } = {}): Promise<Serving> {
  const folder = mkdtempSync(join(tmpdir(), "davit-api-"));
  const socketPath = join(folder, "davit.sock");
  const backend = new MemoryBackend();
  const key = await createIssuerKey();
  const signer = createSigner(() => [{ kid: key.kid, privateJwk: key.privateJwk, createdAtMs: 0 }]);
  const verifier = createVerifier(() => [key.publicJwk]);
  const errors: string[] = [];
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields)}`),
    with: () => log,
  };
  const listening = serveApi({
    backend,
    signer,
    verifier,
    log,
    socketPath,
    listen: { host: "127.0.0.1", port: 0 },
    version: "1.2.3",
    ...options,
  });
  onTestFinished(async () => {
    await listening.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${listening.port}`;
  const client = createClient({ kind: "socket", socketPath });
  let made = 0;
  const tokenOf = async (role: Role, stack?: string): Promise<string> => {
    made += 1;
    return (await client.createToken({ name: `${role} ${made}`, role, ...(stack === undefined ? {} : { stack }) }))
      .token;
  };
  const clientOf = async (role: Role, stack?: string): Promise<DavitClient> =>
    createClient({ kind: "url", url, token: await tokenOf(role, stack) });
  return { backend, socketPath, url, signer, client, errors, clientOf, tokenOf };
}

/** Waits until something holds; streams need a moment of real time. */
export async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error("it did not come to hold within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Collects a stream in the background. */
export function collect<Item>(items: AsyncIterable<Item>): { readonly got: Item[]; readonly ended: Promise<unknown> } {
  const got: Item[] = [];
  const ended = (async () => {
    for await (const item of items) got.push(item);
  })().then(
    () => "ended",
    (error: unknown) => error,
  );
  return { got, ended };
}

/** The error that a call is refused with; fails the test when it is not refused. */
export async function refusal(act: Promise<unknown>): Promise<DavitError> {
  try {
    await act;
  } catch (error) {
    if (error instanceof DavitError) return error;
    throw error;
  }
  return expect.fail("it was not refused");
}
