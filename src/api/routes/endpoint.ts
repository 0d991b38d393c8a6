// What a contract of one endpoint is: method, path, who may call it, what goes in and what comes out. Contracts are data: handlers are
// bound to them, the OpenAPI document is made of them, and tests hold answers against them.

import { createRoute, z } from "@hono/zod-openapi";
import { problemSchema } from "../schemas/views.ts";

/** Who may call: anybody, viewers, deployers, admins. */
export type Access = "none" | "read" | "deploy" | "admin";

type Shape = {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** With parameters as `{ref}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly access: Access;
};

export type Endpoint<Params, Query, Body, Answer> = {
  readonly shape: Shape;
  readonly status: 200 | 201 | 204;
  readonly params: z.ZodType<Params>;
  readonly query: z.ZodType<Query>;
  readonly body: z.ZodType<Body> | undefined;
  readonly answer: z.ZodType<Answer>;
  /** The answer is a stream of events, or a websocket. */
  readonly stream: boolean;
  readonly route: ReturnType<typeof createRoute>;
};

export const nothing = z.strictObject({});
export const refParams = z.object({
  ref: z
    .string()
    .min(1)
    .max(255)
    .openapi({ description: "name, id, or unique beginning of the id (4 characters or more)" }),
});

/** A switch in a query: 1, 0, true, false. */
export function flag(description: string) {
  return z.exactOptional(
    z
      .stringbool({ truthy: ["1", "true"], falsy: ["0", "false"] })
      .openapi({ type: "string", enum: ["0", "1"], description }),
  );
}

/** A whole number in a query. */
export function number(description: string) {
  return z.exactOptional(z.coerce.number().pipe(z.int().min(0)).openapi({ type: "integer", description }));
}

/** A contract. What is left out is empty. */
export function endpoint<Answer, Params = Record<never, never>, Query = Record<never, never>, Body = undefined>(
  input: Shape & {
    readonly params?: z.ZodType<Params>;
    readonly query?: z.ZodType<Query>;
    readonly body?: z.ZodType<Body>;
    readonly answer: z.ZodType<Answer>;
    readonly status?: 200 | 201 | 204;
    readonly stream?: boolean;
    /** The answer is plain text. */
    readonly text?: boolean;
  },
): Endpoint<Params, Query, Body, Answer> {
  const { method, path, id, summary, access, body, answer } = input;
  const params = input.params ?? (nothing as unknown as z.ZodType<Params>);
  const query = input.query ?? (nothing as unknown as z.ZodType<Query>);
  const status = input.status ?? 200;
  const stream = input.stream ?? false;
  const type = stream ? "text/event-stream" : input.text === true ? "text/plain" : "application/json";
  const content = status === 204 ? {} : { content: { [type]: { schema: answer } } };
  const route = createRoute({
    method,
    path,
    operationId: id,
    summary,
    description: ACCESS[access],
    security: access === "none" ? [] : [{ bearer: [] }],
    request: {
      params: params as never,
      query: query as never,
      ...(method === "get"
        ? {}
        : { headers: z.object({ "idempotency-key": z.string().optional(), "if-match": z.string().optional() }) }),
      ...(body === undefined ? {} : { body: { content: { "application/json": { schema: body } }, required: true } }),
    },
    responses: {
      [status]: { description: stream ? "a stream of events" : "done", ...content },
      default: {
        description: "what went wrong, and the way out",
        content: { "application/problem+json": { schema: problemSchema } },
      },
    },
  });
  return { shape: { method, path, id, summary, access }, status, params, query, body, answer, stream, route };
}

const ACCESS: Readonly<Record<Access, string>> = {
  none: "Needs no token.",
  read: "Role viewer or more.",
  deploy: "Role deployer (for a bound one: of its stack), or admin.",
  admin: "Role admin.",
};
