// The HTTP API as one application: who asks, limits, then the endpoints. It listens nowhere by itself: see serve.ts.

import packageJson from "../../package.json" with { type: "json" };
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { scopesOfRole } from "../auth/roles.ts";
import { KnownTokens, refusedToken } from "../auth/user-tokens.ts";
import { DavitError } from "../core/model/errors.ts";
import { MAX_BODY_BYTES } from "../core/protocol/limits.ts";
import type { Backend } from "./backend.ts";
import type { Api } from "./bind.ts";
import type { Actor, ApiContext, ApiEnv, ApiOptions, Parts } from "./context.ts";
import { asDavitError, problemResponse } from "./errors.ts";
import { bindAccess } from "./handlers/access.ts";
import { bindIngress } from "./handlers/ingress.ts";
import { bindNodes } from "./handlers/nodes.ts";
import { bindRebalance } from "./handlers/rebalance.ts";
import { bindJobs } from "./handlers/jobs.ts";
import { bindRollouts } from "./handlers/rollouts.ts";
import { bindServices } from "./handlers/services.ts";
import { bindStacks } from "./handlers/stacks.ts";
import { bindSystem } from "./handlers/system.ts";
import { bindTasks } from "./handlers/tasks.ts";
import { bindVolumes } from "./handlers/volumes.ts";
import { checkHost } from "./host-check.ts";
import { idempotency } from "./idempotency.ts";
import { MAX_CONCURRENT, StreamLimit } from "./limits.ts";
import { ViewCache } from "./view-cache.ts";

const OWNER: Actor = { name: "socket", scopes: ["api:read", "api:deploy", "api:admin"] };
/** What anybody may read: nothing but that the coordinator answers. */
const OPEN_PATHS: readonly string[] = ["/v1/health", "/v1/openapi.json"];

export type ApiApp = {
  readonly fetch: (request: Request, bindings: ApiEnv["Bindings"]) => Response | Promise<Response>;
};

/** The API over a backend. */
export function createApi(backend: Backend, options: ApiOptions): ApiApp {
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidInput(result.target, result.error.issues);
    },
  });
  const parts: Parts = { backend, options, streams: new StreamLimit() };
  const cache = new ViewCache(() => backend.nowMs());
  backend.onChange(() => cache.clear());
  app.onError((error) => problemResponse(asDavitError(error, options.log)));
  app.notFound((c) =>
    problemResponse(
      new DavitError("not_found", `there is no ${c.req.method} ${c.req.path}`, {
        wayOut: "what there is: GET /v1/openapi.json",
      }),
    ),
  );
  guard(app, parts);
  const api: Api = { app, cache, parts };
  for (const bindRoom of [
    bindSystem,
    bindNodes,
    bindServices,
    bindJobs,
    bindRollouts,
    bindTasks,
    bindStacks,
    bindAccess,
    bindIngress,
    bindVolumes,
    bindRebalance,
  ])
    bindRoom(api);
  serveDocument(app, options.version ?? packageJson.version);
  return { fetch: (request, bindings) => app.fetch(request, bindings) };
}

/** Runs before every endpoint. */
function guard(app: OpenAPIHono<ApiEnv>, parts: Parts): void {
  const { backend, options } = parts;
  const known = new KnownTokens();
  let keys = backend.world().state.issuerKey.size;
  let running = 0;
  app.use(async (c, next) => {
    if (c.env.transport === "tcp" && options.anyHost !== true) checkHost(c.req.header("host"));
    if (running >= MAX_CONCURRENT)
      throw new DavitError("too_many", `${MAX_CONCURRENT} requests are being answered already`, {
        wayOut: "try again in a moment",
      });
    running += 1;
    try {
      const { size } = backend.world().state.issuerKey;
      if (size !== keys) known.forget();
      keys = size;
      c.set("actor", await actorOf(c, parts, known));
      await next();
    } finally {
      running -= 1;
    }
  });
  const tooLarge = (): never => {
    throw new DavitError("too_large", `read request: its body is larger than ${MAX_BODY_BYTES / 1_048_576} MiB`);
  };
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }));
  app.use(idempotency(() => backend.nowMs()));
}

async function actorOf(c: ApiContext, { backend, options }: Parts, known: KnownTokens): Promise<Actor> {
  if (c.env.transport === "socket") return OWNER;
  if (OPEN_PATHS.includes(c.req.path)) return { name: "anybody", scopes: [] };
  const token = /^Bearer ([\w.-]+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (token === undefined) throw refusedToken();
  const { state } = backend.world();
  const [cluster] = state.cluster.values();
  const record = await known.check(token, {
    verifier: options.verifier,
    issuer: cluster?.id ?? "",
    nowMs: backend.nowMs(),
    find: (id) => state.userToken.get(id),
  });
  backend.tokenUsed(record.id);
  return { name: record.name, scopes: scopesOfRole(record.role, record.stack) };
}

type Issue = { readonly path: readonly PropertyKey[]; readonly message: string };

function invalidInput(target: string, issues: readonly Issue[]): DavitError {
  const place = { json: "body", param: "path", query: "query", header: "header" }[target] ?? target;
  const details = issues
    .slice(0, 50)
    .map((issue) => ({ where: [place, ...issue.path.map(String)].join("."), message: issue.message }));
  const [first] = details;
  return new DavitError(
    "invalid_input",
    `read request: ${first?.where ?? place}: ${first?.message ?? "not valid"}${issues.length > 1 ? `, and ${issues.length - 1} more` : ""}`,
    { details },
  );
}

/** The OpenAPI document, made once: the contracts do not change while the coordinator runs. */
function serveDocument(app: OpenAPIHono<ApiEnv>, version: string): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
  });
  let text: string | undefined;
  app.get("/v1/openapi.json", () => {
    text ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: {
          title: "davit",
          version,
          description: "Runs containers on a small fleet of hosts.",
          license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
        },
      }),
    );
    return new Response(text, { headers: { "content-type": "application/json" } });
  });
}
