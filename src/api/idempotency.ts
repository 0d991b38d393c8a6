// Idempotency-Key on POST and PUT: a request that is repeated with its key gets the answer of the first one, also while that is still on
// its way. In memory and bounded: it covers lost answers and impatient retries, not a restart of the coordinator.

import { createHash } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { DavitError } from "../core/model/errors.ts";
import type { ApiEnv } from "./context.ts";
import { problemResponse } from "./errors.ts";

const KEPT_MS = 600_000;
const MAX_KEYS = 1_000;
const MAX_KEY_LENGTH = 255;

type Kept = { readonly status: number; readonly headers: [string, string][]; readonly body: string };
type Entry = { readonly bodyHash: string; readonly atMs: number; readonly answer: Promise<Kept | undefined> };

/** Middleware for requests with a body; needs the actor to be known. */
export function idempotency(nowMs: () => number): MiddlewareHandler<ApiEnv> {
  const entries = new Map<string, Entry>();
  return async (c, next) => {
    const key = c.req.header("idempotency-key");
    if (key === undefined || (c.req.method !== "POST" && c.req.method !== "PUT")) return await next();
    if (key === "" || key.length > MAX_KEY_LENGTH)
      throw new DavitError("invalid_input", `read Idempotency-Key: it must have 1–${MAX_KEY_LENGTH} characters`);
    const { pathname, search } = new URL(c.req.url);
    const id = JSON.stringify([c.get("actor").name, c.req.method, pathname, search, key]);
    const bodyHash = createHash("sha256")
      .update(await c.req.text())
      .digest("hex");
    forgetOld(entries, nowMs());
    const known = entries.get(id);
    if (known !== undefined && known.bodyHash !== bodyHash) {
      return problemResponse(
        new DavitError("conflict", "repeat request: the Idempotency-Key was used with another body", {
          wayOut: "use a new key for a new request",
        }),
      );
    }
    const kept = await known?.answer;
    if (kept !== undefined) return new Response(kept.body, { status: kept.status, headers: kept.headers });
    let settle: (kept: Kept | undefined) => void = () => undefined;
    const answer = new Promise<Kept | undefined>((resolve) => void (settle = resolve));
    entries.set(id, { bodyHash, atMs: nowMs(), answer });
    let result: Kept | undefined;
    try {
      await next();
      result = await keepable(c.res);
    } finally {
      if (result === undefined) entries.delete(id);
      settle(result);
    }
    return undefined;
  };
}

/** Streams are not kept, nor failures that may pass. */
async function keepable(response: Response): Promise<Kept | undefined> {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (isStream || response.status >= 500 || response.status === 429) return undefined;
  return { status: response.status, headers: [...response.headers], body: await response.clone().text() };
}

function forgetOld(entries: Map<string, Entry>, nowMs: number): void {
  for (const [id, entry] of entries) {
    if (nowMs - entry.atMs < KEPT_MS && entries.size < MAX_KEYS) return;
    entries.delete(id);
  }
}
