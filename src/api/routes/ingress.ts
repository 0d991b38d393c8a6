// Contracts: HTTP routes and certificates.

import { z } from "@hono/zod-openapi";
import {
  authoritySchema,
  certificateRequestSchema,
  certificateSchema,
  ingressRouteSchema,
  ingressStatsSchema,
  maintenanceRequestSchema,
} from "../schemas/ingress.ts";
import { serviceSchema } from "../schemas/views.ts";
import { endpoint, refParams } from "./endpoint.ts";
import { logQuery } from "./services.ts";

const name = z.object({ name: z.string().min(1).max(260) });

export const listIngress = endpoint({
  method: "get",
  path: "/v1/ingress",
  id: "listIngress",
  summary: "Hosts and paths that lead to services, by host",
  access: "read",
  answer: z.array(ingressRouteSchema),
});

export const getIngressStats = endpoint({
  method: "get",
  path: "/v1/ingress/stats",
  id: "getIngressStats",
  summary: "What the ingress has counted of each service, in all and by node",
  access: "read",
  query: z.strictObject({
    service: z.exactOptional(z.string().min(1).max(255).openapi({ description: "only this one: name or id" })),
  }),
  answer: ingressStatsSchema,
});

export const getMetrics = endpoint({
  method: "get",
  path: "/v1/metrics",
  id: "getMetrics",
  summary: "The figures of the ingress and of nodes in the text format of Prometheus",
  access: "read",
  text: true,
  answer: z.string(),
});

export const getAccessLog = endpoint({
  params: refParams,
  method: "get",
  path: "/v1/services/{ref}/access-log",
  id: "getAccessLog",
  summary: "Requests to the routes of a service that have access_log: events `log` and `note`",
  access: "read",
  query: logQuery,
  stream: true,
  answer: z.string(),
});

export const setMaintenance = endpoint({
  params: refParams,
  method: "post",
  path: "/v1/services/{ref}/maintenance",
  id: "setMaintenance",
  summary: "Has a service's routes answer with a page, or lead to it again",
  access: "deploy",
  body: maintenanceRequestSchema,
  answer: serviceSchema,
});

export const listCertificates = endpoint({
  method: "get",
  path: "/v1/certificates",
  id: "listCertificates",
  summary: "Certificates of host names, by name",
  access: "read",
  answer: z.array(certificateSchema),
});

export const getAuthority = endpoint({
  method: "get",
  path: "/v1/authority",
  id: "getAuthority",
  summary: "The certificate of the cluster's own authority, for clients that are to trust it",
  access: "read",
  answer: authoritySchema,
});

export const putCertificate = endpoint({
  params: name,
  method: "put",
  path: "/v1/certificates/{name}",
  id: "putCertificate",
  summary: "Stores a certificate of one's own, its key sealed",
  access: "admin",
  body: certificateRequestSchema,
  answer: certificateSchema,
});

export const removeCertificate = endpoint({
  params: name,
  method: "delete",
  path: "/v1/certificates/{name}",
  id: "removeCertificate",
  summary: "Forgets a certificate of one's own",
  access: "admin",
  status: 204,
  answer: z.undefined(),
});

export const renewCertificate = endpoint({
  params: name,
  method: "post",
  path: "/v1/certificates/{name}/renew",
  id: "renewCertificate",
  summary: "Asks for a new certificate now",
  access: "admin",
  answer: certificateSchema,
});
