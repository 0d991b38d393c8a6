// HTTP routes and certificates as the API shows them: plain JSON, times as ISO 8601 texts. Pure.

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
