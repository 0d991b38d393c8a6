// Requests for certificates (RFC 2986) and the certificates of the cluster's own authority (RFC 5280), with keys on P-256.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { bitString, der, integer, octetString, oid, pem, sequence, tagged, time, truth, utf8 } from "./der.ts";

const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const COMMON_NAME = "2.5.4.3";
const EXTENSION = {
  alternativeNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  subjectKeyId: "2.5.29.14",
  authorityKeyId: "2.5.29.35",
} as const;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
/** A clock that is a little behind must not refuse a new certificate. */
const SLACK_MS = 3_600_000;

/** PKCS #8 PEM of a new key on P-256. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return privateKey.export({ format: "pem", type: "pkcs8" });
}

/** DER of a request for names, signed with their key. */
export function certificateRequest(hosts: readonly string[], keyPem: string): Uint8Array {
  const extensions = sequence(alternativeNames(hosts, false));
  const attributes = tagged(0, sequence(oid(EXTENSION_REQUEST), der(0x31, extensions)));
  const info = sequence(integer(Buffer.from([0])), sequence(), publicKeyOf(keyPem), attributes);
  return signed(info, keyPem);
}

/** A certificate that signs others, by itself, for so many milliseconds. PEM. */
export function newAuthority(name: string, keyPem: string, nowMs: number, lifetimeMs: number): string {
  const subject = named(name);
  const extensions = [
    extension(EXTENSION.basicConstraints, true, sequence(truth(), integer(Buffer.from([0])))),
    // certificate signing, list signing
    extension(EXTENSION.keyUsage, true, der(0x03, Buffer.from([1, 0x06]))),
    extension(EXTENSION.subjectKeyId, false, octetString(keyId(keyPem))),
  ];
  return issue({ issuer: subject, issuerKey: keyPem, subject, keyPem, extensions, nowMs, lifetimeMs });
}

/** A certificate for names, signed by an authority of ours. PEM. */
export function newCertificate(input: {
  readonly hosts: readonly string[];
  readonly keyPem: string;
  readonly authority: { readonly certificatePem: string; readonly keyPem: string };
  readonly nowMs: number;
  readonly lifetimeMs: number;
}): string {
  const { hosts, keyPem, authority, nowMs, lifetimeMs } = input;
  const extensions = [
    extension(EXTENSION.basicConstraints, true, sequence()),
    // digital signature
    extension(EXTENSION.keyUsage, true, der(0x03, Buffer.from([7, 0x80]))),
    extension(EXTENSION.extendedKeyUsage, false, sequence(oid(SERVER_AUTH))),
    alternativeNames(hosts, true),
    extension(EXTENSION.authorityKeyId, false, sequence(der(0x80, keyId(authority.keyPem)))),
  ];
  const [, issuerName = ""] = /CN=(.*)/.exec(new X509Certificate(authority.certificatePem).subject) ?? [];
  return issue({
    issuer: named(issuerName),
    issuerKey: authority.keyPem,
    subject: sequence(),
    keyPem,
    extensions,
    nowMs,
    lifetimeMs,
  });
}

function issue(input: {
  readonly issuer: Uint8Array;
  readonly issuerKey: string;
  readonly subject: Uint8Array;
  readonly keyPem: string;
  readonly extensions: readonly Uint8Array[];
  readonly nowMs: number;
  readonly lifetimeMs: number;
}): string {
  const { issuer, issuerKey, subject, keyPem, extensions, nowMs, lifetimeMs } = input;
  const serial = randomBytes(16);
  const body = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_SHA256,
    issuer,
    sequence(time(nowMs - SLACK_MS), time(nowMs + lifetimeMs)),
    subject,
    publicKeyOf(keyPem),
    tagged(3, sequence(...extensions)),
  );
  return pem("CERTIFICATE", signed(body, issuerKey));
}

function signed(body: Uint8Array, keyPem: string): Uint8Array {
  return sequence(body, ECDSA_SHA256, bitString(sign("sha256", body, createPrivateKey(keyPem))));
}

function publicKeyOf(keyPem: string): Uint8Array {
  return createPublicKey(createPrivateKey(keyPem)).export({ format: "der", type: "spki" });
}

/** The point on the curve, cut to twenty bytes: any stable value will do (RFC 7093). */
function keyId(keyPem: string): Uint8Array {
  return publicKeyOf(keyPem).subarray(-64, -44);
}

function named(name: string): Uint8Array {
  return sequence(der(0x31, sequence(oid(COMMON_NAME), utf8(name))));
}

function extension(id: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(isCritical ? [truth()] : []), octetString(value));
}

/** Critical where there is no other name, as RFC 5280 wants it. */
function alternativeNames(hosts: readonly string[], isCritical: boolean): Uint8Array {
  return extension(
    EXTENSION.alternativeNames,
    isCritical,
    sequence(...hosts.map((host) => der(0x82, Buffer.from(host)))),
  );
}
