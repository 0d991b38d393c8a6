// Certificates of the cluster's own authority as others read them, and what is said of a user's own before it is stored.

import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { inspectCertificate } from "../../src/certificates/inspect.ts";
import { newAuthority, newCertificate, newKey } from "../../src/certificates/x509.ts";
import { DavitError } from "../../src/core/model/errors.ts";

const NOW = Date.UTC(2026, 10, 25);
const YEAR = 365 * 86_400_000;
const authorityKey = newKey();
const authority = { certificatePem: newAuthority("davit test", authorityKey, NOW, 10 * YEAR), keyPem: authorityKey };
const key = newKey();

function certificate(hosts: readonly string[], nowMs = NOW, lifetimeMs = YEAR): string {
  return newCertificate({ hosts, keyPem: key, authority, nowMs, lifetimeMs });
}

function faults(certificates: string, keyPem: string): readonly string[] {
  try {
    inspectCertificate("mine", certificates, keyPem, NOW);
    return [];
  } catch (error) {
    return error instanceof DavitError
      ? error.details.map(({ where, message }) => `${where}: ${message}`)
      : [String(error)];
  }
}

describe("the cluster's own authority", () => {
  test("signs certificates that are verified by its own, for the names that were asked for", () => {
    const [leaf, root] = [
      new X509Certificate(certificate(["a.test", "*.b.test"])),
      new X509Certificate(authority.certificatePem),
    ];
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(["a.test", "x.b.test", "c.test"].map((name) => leaf.checkHost(name) !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
    expect([root.ca, leaf.ca]).toEqual([true, false]);
    expect(Date.parse(leaf.validTo)).toBe(NOW + YEAR);
  });

  test("dates beyond 2049 are written so that others read them", () => {
    const far = new X509Certificate(newAuthority("far", authorityKey, Date.UTC(2049, 11, 1), YEAR));
    expect(new Date(far.validTo).getUTCFullYear()).toBe(2050);
  });
});

describe("a certificate of one's own", () => {
  test("is taken with its chain in any order, and sorted for proxies", () => {
    const taken = inspectCertificate(
      "mine",
      `${authority.certificatePem}${certificate(["*.b.test", "a.test"])}`,
      key,
      NOW,
    );
    expect(taken.hosts).toEqual(["*.b.test", "a.test"]);
    expect(taken.issuer).toBe("davit test");
    expect(new X509Certificate(taken.pem).subjectAltName).toContain("a.test");
    expect(taken.pem.match(/-----BEGIN/g)).toHaveLength(3);
  });

  test.each([
    ["a key of another", certificate(["a.test"]), newKey(), "key: belongs to none of the certificates"],
    ["no certificate", "hello", key, "certificate: holds no PEM block"],
    [
      "a damaged one",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      key,
      "certificate: number 1 cannot be read",
    ],
    ["no key", certificate(["a.test"]), "hello", "key: cannot be read"],
    ["an expired one", certificate(["a.test"], NOW - 2 * YEAR), key, "certificate: expired on"],
    [
      "a chain of strangers",
      `${certificate(["a.test"])}${newAuthority("other", newKey(), NOW, YEAR)}`,
      key,
      "chain: 1 of its certificates did not sign",
    ],
    ["none with a name", authority.certificatePem, authorityKey, "certificate: names no host"],
  ])("%s is refused in words", (_, certificates, keyPem, fault) => {
    expect(faults(certificates, keyPem).some((each) => each.startsWith(fault))).toBe(true);
  });
});
