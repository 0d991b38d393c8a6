// Shapes of HTTP routes and certificates: what comes in is checked, what goes out is promised.

import { z } from "@hono/zod-openapi";
import type { IngressFigures } from "../../core/model/ingress-figures.ts";
import type {
  AuthorityView,
  CertificateRequest,
  CertificateView,
  IngressRouteView,
  IngressStatsView,
} from "../../core/model/ingress-views.ts";

const text = z.string();
const optional = z.exactOptional;
const time = z.iso.datetime();
const state = z.enum(["valid", "waiting", "failing"]);

export const ingressRouteSchema: z.ZodType<IngressRouteView> = z
  .object({
    host: text,
    path: text,
    service: text,
    port: z.int(),
    tls: text,
    certificate: optional(state),
    trouble: optional(text),
    options: z.array(text),
    maintenance: z.boolean(),
  })
  .openapi("IngressRoute");

const count = z.int().min(0);
const figuresSchema: z.ZodType<IngressFigures> = z
  .object({
    answers: z.object({ "1": count, "2": count, "3": count, "4": count, "5": count }),
    requests: count,
    bytesIn: count,
    bytesOut: count,
    rejected: count,
    retries: count,
    unreached: count,
    broken: count,
    open: count,
    firstByteMs: count,
    tookMs: count,
  })
  .openapi("IngressFigures");

export const ingressStatsSchema: z.ZodType<IngressStatsView> = z
  .object({
    services: z.array(
      z.object({
        service: text,
        total: figuresSchema,
        nodes: z.array(z.object({ node: text, figures: figuresSchema })),
      }),
    ),
    missing: z.array(z.object({ node: text, reason: text })),
  })
  .openapi("IngressStats");

export const certificateSchema: z.ZodType<CertificateView> = z
  .object({
    name: text,
    source: z.enum(["acme", "internal", "own"]),
    hosts: z.array(text),
    state,
    issuer: optional(text),
    notBefore: optional(time),
    notAfter: optional(time),
    renewsAt: optional(time),
    trouble: optional(text),
    nextTryAt: optional(time),
  })
  .openapi("Certificate");

export const authoritySchema: z.ZodType<AuthorityView> = z
  .object({ certificatePem: text, notAfter: time })
  .openapi("Authority");

export const certificateRequestSchema: z.ZodType<CertificateRequest> = z
  .strictObject({ certificatePem: z.string().max(131_072), keyPem: z.string().max(32_768) })
  .openapi("CertificateRequest");

export const maintenanceRequestSchema: z.ZodType<{ readonly on: boolean }> = z
  .strictObject({ on: z.boolean() })
  .openapi("Maintenance");
