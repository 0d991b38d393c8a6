// HTTP routes and certificates as the API shows them: plain JSON, times as ISO 8601 texts. Pure.

import type { IngressFigures } from "./ingress-figures.ts";

export type IngressRouteView = {
  readonly host: string;
  readonly path: string;
  /** Full name of the service. */
  readonly service: string;
  readonly port: number;
  /** `auto`, `internal`, `off`, or `certificate NAME`. */
  readonly tls: string;
  /** Absent without TLS. */
  readonly certificate?: CertificateView["state"];
  /** Why the certificate could not be had, or not be renewed. */
  readonly trouble?: string;
  /** Names of the options that it has. */
  readonly options: readonly string[];
  readonly maintenance: boolean;
};

/** What the ingress of all nodes has counted. */
export type IngressStatsView = {
  /** By name. */
  readonly services: readonly {
    /** Full name. */
    readonly service: string;
    readonly total: IngressFigures;
    /** By name; those that answered. */
    readonly nodes: readonly { readonly node: string; readonly figures: IngressFigures }[];
  }[];
  /** Nodes whose figures are not in it. */
  readonly missing: readonly { readonly node: string; readonly reason: string }[];
};

export type CertificateView = {
  readonly name: string;
  readonly source: "acme" | "internal" | "own";
  readonly hosts: readonly string[];
  /** `valid`: there is one; `waiting`: it is being asked for; `failing`: it could not be had. */
  readonly state: "valid" | "waiting" | "failing";
  readonly issuer?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly renewsAt?: string;
  readonly trouble?: string;
  readonly nextTryAt?: string;
};

/** PEM texts. */
export type CertificateRequest = { readonly certificatePem: string; readonly keyPem: string };
export type AuthorityView = { readonly certificatePem: string; readonly notAfter: string };
