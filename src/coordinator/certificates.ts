// Puts the certificate loop together from the options of `davit up`: the ACME server, its authority's file, the hook for DNS.

import { readFileSync } from "node:fs";
import { seal, unseal } from "../auth/seal.ts";
import { createAcmeIssuer } from "../certificates/acme.ts";
import { createDnsHook } from "../certificates/dns-hook.ts";
import { describePem } from "../certificates/inspect.ts";
import { newAuthority, newCertificate, newKey } from "../certificates/x509.ts";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import type { CertificateIssuer, CertificateMaker } from "../ports/certificate-issuer.ts";
import type { Clock } from "../ports/clock.ts";
import type { Hasher } from "../ports/hasher.ts";
import type { Log } from "../ports/log.ts";
import { CertificateLoop } from "./certificate-loop.ts";
import type { CommitDoor } from "./commit-door.ts";
import type { Coordinator } from "./coordinator.ts";
import type { UpOptions } from "./options.ts";

const CERTIFICATE_MAKER: CertificateMaker = { newKey, newAuthority, newCertificate, describe: describePem };

/** Throws `invalid_input` when a file that the options name cannot be read. */
export function createCertificateLoop(input: {
  readonly options: UpOptions;
  readonly door: CommitDoor;
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly log: Log;
  readonly coordinator: Coordinator;
  readonly secretKey: Uint8Array;
}): CertificateLoop {
  const { options, door, clock, hasher, log, coordinator, secretKey } = input;
  return new CertificateLoop({
    door,
    clock,
    log: log.with({ part: "certificates" }),
    issuer: acmeIssuer(options, clock),
    maker: CERTIFICATE_MAKER,
    dnsHook: options.acme.dnsHook === undefined ? undefined : createDnsHook(options.acme.dnsHook),
    seal: (text) => seal(secretKey, text),
    unseal: (sealed) => unseal(secretKey, sealed),
    unitOf: unitBy(hasher),
    lagging: (revision) => coordinator.laggingBehind(revision),
    troubles: () => coordinator.networkTroubles(),
  });
}

function acmeIssuer({ acme }: UpOptions, clock: Clock): CertificateIssuer {
  const { directoryUrl, email, caFile, dnsHook } = acme;
  return createAcmeIssuer(
    { directoryUrl, email, caPem: caFile === undefined ? undefined : readCa(caFile), byDns: dnsHook !== undefined },
    clock,
  );
}

function readCa(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new DavitError("invalid_input", `start: --acme-ca ${path} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** From 0 to 1, always the same for a name. */
export function unitBy(hasher: Hasher): (name: string) => number {
  return (name) => Number.parseInt(hasher.hash(name).slice(0, 8), 16) / 0xffffffff;
}
