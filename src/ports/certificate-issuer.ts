// Whoever vouches for host names: an ACME server, or the cluster's own authority. Certificates and keys are PEM.

import type { AcmeAccount } from "../core/model/certificate.ts";

/** What shows that a name is ours: a text that the name answers over HTTP, or a record of its DNS. */
export type Proof =
  | { readonly kind: "http"; readonly token: string; readonly answer: string }
  | { readonly kind: "dns"; readonly name: string; readonly value: string };

export type IssueRequest = {
  readonly host: string;
  /** Private key of the new certificate. */
  readonly keyPem: string;
  readonly account: {
    readonly keyPem: string;
    readonly url?: AcmeAccount["url"];
    /** Keeps a new account before it is used: what follows may fail, and servers count how many accounts one asks for. */
    readonly registered: (url: string) => Promise<void>;
  };
  /** Puts a proof where it is looked for; resolves when it is there. */
  readonly prove: (proof: Proof) => Promise<void>;
};

export interface CertificateIssuer {
  /** URL of its directory: accounts are kept by it. */
  readonly directoryUrl: string;
  /** What it is asked to look at. */
  readonly proofKind: (host: string) => Proof["kind"];
  /** Resolves with the PEM of the certificate and its chain; rejects with what it said, and about what. */
  issue(request: IssueRequest): Promise<string>;
}

/** Making keys, requests and certificates of our own. */
export interface CertificateMaker {
  newKey(): string;
  newAuthority(name: string, keyPem: string, nowMs: number, lifetimeMs: number): string;
  newCertificate(input: {
    readonly hosts: readonly string[];
    readonly keyPem: string;
    readonly authority: { readonly certificatePem: string; readonly keyPem: string };
    readonly nowMs: number;
    readonly lifetimeMs: number;
  }): string;
  /** Of the first certificate in a PEM. */
  describe(pem: string): { readonly issuer: string; readonly notBeforeMs: number; readonly notAfterMs: number };
}

/** Puts a record into the DNS and takes it away: a program of the user. Rejects with what it said. */
export type DnsHook = (action: "present" | "cleanup", name: string, value: string) => Promise<void>;
