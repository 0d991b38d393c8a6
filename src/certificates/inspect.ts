// What a certificate of a user's own is: whether key, chain, names and time fit together, in words, before anything is stored.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { DavitError, type ErrorDetail, reasonOf } from "../core/model/errors.ts";
import { hostProblem } from "../core/model/ingress.ts";

/** What the nodes' proxies read in one piece, with room for what stands around it. */
const MAX_PEM = 14_000;

export type Inspected = {
  /** Certificate, chain, key, in the order in which proxies want them. */
  readonly pem: string;
  readonly hosts: readonly string[];
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** Throws `invalid_input` with every fault. `certificates`: PEM of the certificate and its chain in any order; `key`: PEM of its key. */
export function inspectCertificate(name: string, certificates: string, key: string, nowMs: number): Inspected {
  const faults: ErrorDetail[] = [];
  const privateKey = readKey(key, faults);
  const all = readCertificates(certificates, faults);
  if (privateKey === undefined || all.length === 0) throw refuse(name, faults);
  const leaf = all.find((certificate) => certificate.checkPrivateKey(privateKey));
  if (leaf === undefined) {
    const shown = all.map(subjectOf).join("; ");
    faults.push({ where: "key", message: `belongs to none of the certificates (${shown})` });
    throw refuse(name, faults);
  }
  const hosts = namesOf(leaf);
  if (hosts.length === 0)
    faults.push({ where: "certificate", message: "names no host: it has no DNS name among its alternative names" });
  if (Date.parse(leaf.validTo) <= nowMs) faults.push({ where: "certificate", message: `expired on ${leaf.validTo}` });
  const chain = chainOf(leaf, all);
  const rest = all.filter((certificate) => certificate !== leaf && !chain.includes(certificate));
  if (rest.length > 0)
    faults.push({
      where: "chain",
      message: `${rest.length} of its certificates did not sign the others: the chain is broken`,
    });
  for (const certificate of chain)
    if (Date.parse(certificate.validTo) <= nowMs)
      faults.push({
        where: "chain",
        message: `${subjectOf(certificate)} expired on ${certificate.validTo}`,
      });
  const pem = [leaf, ...chain].map(String).concat(exportKey(privateKey)).join("");
  if (pem.length > MAX_PEM)
    faults.push({ where: "chain", message: `is too long: ${pem.length} bytes, at most ${MAX_PEM}` });
  if (faults.length > 0) throw refuse(name, faults);
  return { pem, hosts, ...described(leaf) };
}

/** Issuer and time of the first certificate in a PEM. */
export function describePem(pem: string): Pick<Inspected, "issuer" | "notBeforeMs" | "notAfterMs"> {
  return described(new X509Certificate(pem));
}

function described(certificate: X509Certificate): Pick<Inspected, "issuer" | "notBeforeMs" | "notAfterMs"> {
  const issuer = /CN=(.*)/.exec(certificate.issuer)?.[1] ?? certificate.issuer.replaceAll("\n", ", ");
  return { issuer, notBeforeMs: Date.parse(certificate.validFrom), notAfterMs: Date.parse(certificate.validTo) };
}

/** Newer certificates have their names elsewhere, and no subject at all. */
function subjectOf(certificate: X509Certificate): string {
  const subject: string | undefined = certificate.subject;
  return subject === undefined || subject === ""
    ? (certificate.subjectAltName ?? "one without a name")
    : subject.replaceAll("\n", ", ");
}

function readKey(key: string, faults: ErrorDetail[]): KeyObject | undefined {
  try {
    return createPrivateKey(key);
  } catch (error) {
    const isLocked = key.includes("ENCRYPTED");
    const message = isLocked
      ? "has a passphrase: write it without one (openssl pkey)"
      : `cannot be read: ${reasonOf(error)}`;
    faults.push({ where: "key", message });
    return undefined;
  }
}

function readCertificates(text: string, faults: ErrorDetail[]): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    faults.push({ where: "certificate", message: "holds no PEM block that begins with -----BEGIN CERTIFICATE-----" });
  return blocks.flatMap((block, at) => {
    try {
      return [new X509Certificate(block)];
    } catch (error) {
      faults.push({ where: "certificate", message: `number ${at + 1} cannot be read: ${reasonOf(error)}` });
      return [];
    }
  });
}

/** DNS names that a route can have; others are of no use here. */
function namesOf(certificate: X509Certificate): readonly string[] {
  const names = (certificate.subjectAltName ?? "").split(/,\s*/).filter((name) => name.startsWith("DNS:"));
  return [...new Set(names.map((name) => name.slice(4).toLowerCase()))]
    .filter((name) => hostProblem(name) === undefined)
    .sort();
}

/** From the leaf upwards, as far as signers are there. */
function chainOf(leaf: X509Certificate, all: readonly X509Certificate[]): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let last = leaf;
  for (;;) {
    const signer = all.find(
      (candidate) =>
        candidate !== last &&
        !chain.includes(candidate) &&
        last.checkIssued(candidate) &&
        last.verify(candidate.publicKey),
    );
    if (signer === undefined) return chain;
    chain.push(signer);
    last = signer;
  }
}

function exportKey(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" });
}

function refuse(name: string, faults: readonly ErrorDetail[]): DavitError {
  const [first] = faults;
  const message =
    faults.length === 1
      ? `${first?.where ?? ""}: ${first?.message ?? ""}`
      : `${faults.length} things are wrong with it`;
  return new DavitError("invalid_input", `add certificate ${name}: ${message}`, { details: faults });
}
