// An ingress route in which every option is set: one that is added to the model, and not here, is a fault of the types.

import type { IngressSpec } from "../../src/core/model/ingress.ts";

/** The same type with nothing optional in it, at any depth. */
export type Complete<T> = T extends readonly (infer Item)[]
  ? readonly Complete<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]-?: Complete<T[Key]> }
    : T;

/** Each value is another than what it would be anyway. */
export const FULL_ROUTE: Complete<IngressSpec> = {
  host: "app.example.com",
  path: "/app",
  port: 8080,
  tls: "auto",
  plainHttp: true,
  protocol: "h2c",
  sticky: true,
  stripPath: true,
  responseTimeoutMs: 120_000,
  tunnelTimeoutMs: 600_000,
  maxBodyBytes: 1_048_576,
  users: [{ name: "ann", hash: "$6$salt$hashed" }],
  requestHeaders: { "X-From": "davit" },
  responseHeaders: { Server: "" },
  rateLimit: { requests: 100, perMs: 10_000 },
  allow: ["10.0.0.0/8"],
  deny: ["10.0.0.7"],
  maintenancePage: "<p>soon</p>",
  errorPages: { "503": "<p>sorry</p>" },
  accessLog: true,
};
