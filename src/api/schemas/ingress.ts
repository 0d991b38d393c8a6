// Shapes of HTTP routes and certificates: what comes in is checked, what goes out is promised.

import { z } from "@hono/zod-openapi";
import type {
  AuthorityView,
  CertificateRequest,
  CertificateView,
  IngressRouteView,
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
