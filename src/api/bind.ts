// Binds handlers to contracts: checks access before anything is read, hands over checked input, and turns answers into JSON, from the
// cache where the contract's answer depends on the state alone.

import type { OpenAPIHono } from "@hono/zod-openapi";
import { isAllowed, mayDeploySomething } from "../auth/roles.ts";
import { type Command, withAudit } from "../core/commands/command.ts";
import { DavitError } from "../core/model/errors.ts";
import type { Mutated } from "./backend.ts";
import type { Actor, ApiContext, ApiEnv, Parts } from "./context.ts";
import type { Access, Endpoint } from "./routes/endpoint.ts";
import type { ViewCache } from "./view-cache.ts";

export type Api = { readonly app: OpenAPIHono<ApiEnv>; readonly cache: ViewCache; readonly parts: Parts };

/** One request to one endpoint, checked. */
export type Call<Params, Query, Body> = {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly actor: Actor;
  readonly c: ApiContext;
  /** The index that the caller saw, from If-Match. */
  readonly ifMatch: number | undefined;
};

type Handler<Params, Query, Body, Result> = (call: Call<Params, Query, Body>) => Result | Promise<Result>;

/** A JSON endpoint. `etag` gives the index of what is answered. */
export function bind<Params, Query, Body, Answer>(
  api: Api,
  endpoint: Endpoint<Params, Query, Body, Answer>,
  handle: Handler<Params, Query, Body, Answer>,
  options: { readonly isCached?: boolean; readonly etag?: (answer: Answer) => number } = {},
): void {
  bindRaw(api, endpoint, async (call) => {
    const key = options.isCached === true ? pathOf(call.c.req.url) : undefined;
    const hit = key === undefined ? undefined : api.cache.get(key);
    if (hit !== undefined) return json(hit.text, hit.etag, endpoint.status);
    const answer = await handle(call);
    if (endpoint.status === 204) return new Response(null, { status: 204 });
    const text = JSON.stringify(answer);
    const etag = options.etag === undefined ? undefined : `"${options.etag(answer)}"`;
    if (key !== undefined) api.cache.put(key, text, etag);
    return json(text, etag, endpoint.status);
  });
}

/** An endpoint that makes its own response: a stream, a websocket. */
export function bindRaw<Params, Query, Body, Answer>(
  api: Api,
  endpoint: Endpoint<Params, Query, Body, Answer>,
  handle: Handler<Params, Query, Body, Response>,
): void {
  const { access, id } = endpoint.shape;
  api.app.use(endpoint.route.getRoutingPath(), async (c, next) => {
    // a HEAD is answered by the GET of the same path
    const method = c.req.method === "HEAD" ? "get" : c.req.method.toLowerCase();
    if (method === endpoint.shape.method) checkAccess(api, c, access, id);
    await next();
  });
  api.app.openapi(endpoint.route, async (c) => {
    const valid = (part: "param" | "query" | "json"): unknown => c.req.valid(part as never);
    const call = {
      params: valid("param") as Params,
      query: valid("query") as Query,
      body: (endpoint.body === undefined ? undefined : valid("json")) as Body,
      actor: c.get("actor"),
      c,
      ifMatch: ifMatchOf(c.req.header("if-match")),
    };
    return await handle(call);
  });
}

/** Before the input is looked at: somebody without the right learns nothing from its faults. */
function checkAccess(api: Api, c: ApiContext, access: Access, id: string): void {
  if (access === "none") return;
  const actor = c.get("actor");
  const allowed =
    access === "deploy"
      ? mayDeploySomething(actor.scopes)
      : isAllowed(actor.scopes, access === "read" ? "api:read" : "api:admin");
  if (!allowed) throw forbidden(api.parts, actor, id, new URL(c.req.url).pathname);
}

/** Throws `forbidden` unless the caller may change this stack; `stack` undefined: something that belongs to no stack. */
export function requireStack(parts: Parts, actor: Actor, action: string, stack: string | undefined): void {
  if (isAllowed(actor.scopes, "api:deploy", stack)) return;
  throw forbidden(parts, actor, action, stack ?? "no stack");
}

function forbidden(parts: Parts, actor: Actor, action: string, subject: string): DavitError {
  parts.backend.refused({
    actor: actor.name,
    action,
    subject,
    outcome: "refused",
    message: `the scopes of ${actor.name} are ${actor.scopes.join(" ")}`,
  });
  return new DavitError("forbidden", `${action}: the token '${actor.name}' may not do this`, {
    wayOut: "use a token with a role that may: `davit token create --role …`",
  });
}

/** Runs a command through the coordinator's door, with an entry in the audit trail. */
export function mutate<Result>(
  parts: Parts,
  actor: Actor,
  action: string,
  command: Command<Result>,
): Promise<Mutated<Result>> {
  return parts.backend.mutate(withAudit(actor.name, action, command));
}

/** Notes in the audit trail what changed no record by itself. */
export async function note(
  parts: Parts,
  actor: Actor,
  action: string,
  subject: string,
  message: string,
): Promise<void> {
  const audit = [{ actor: actor.name, action, subject, outcome: "ok", message }] as const;
  await parts.backend.mutate(() => ({ changes: [], guards: [], events: [], audit, result: undefined }));
}

function json(text: string, etag: string | undefined, status: number): Response {
  const headers: Record<string, string> = { "content-type": "application/json", "cache-control": "no-store" };
  if (etag !== undefined) headers["etag"] = etag;
  return new Response(text, { status, headers });
}

function pathOf(url: string): string {
  return url.slice(url.indexOf("/", url.indexOf("//") + 2));
}

/** `"5"`, `W/"5"` or `5`; `*` matches everything. Throws `invalid_input`. */
function ifMatchOf(header: string | undefined): number | undefined {
  if (header === undefined || header === "*") return undefined;
  const match = /^(?:W\/)?"?(\d{1,15})"?$/.exec(header.trim());
  if (match === null)
    throw new DavitError("invalid_input", `read If-Match: '${header}' is not an index`, {
      wayOut: "give the ETag of the last answer",
    });
  return Number(match[1]);
}
