// Which certificates are due: what routes need, when they are renewed, how failures put them off, and what is forgotten.

import { describe, expect, test } from "vitest";
import { failed, forgotten, issued, proving } from "../../../src/core/ingress/changes.ts";
import { planCertificates, renewalAt, retryAfter } from "../../../src/core/ingress/plan-certificates.ts";
import type { Certificate } from "../../../src/core/model/certificate.ts";
import type { IngressSpec } from "../../../src/core/model/ingress.ts";
import { applyChanges, emptyState, type MutableState } from "../../../src/core/model/world.ts";

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;
const half = (): number => 0.5;

function stateWith(routes: readonly Pick<IngressSpec, "host" | "tls">[]): MutableState {
  const state = emptyState();
  const ingress = routes.map((route) => ({ path: "/", port: 80, ...route }));
  state.service.set("s1", { id: "s1", version: 1, name: "web" } as never);
  state.serviceVersion.set("s1/1", { id: "s1/1", serviceId: "s1", version: 1, spec: { ingress } } as never);
  return state;
}

const sealed = (fromMs: number, days: number) => ({
  sealedPem: "v1.x",
  issuer: "test",
  notBeforeMs: fromMs,
  notAfterMs: fromMs + days * DAY,
});

describe("a plan", () => {
  test("asks the world for public names and the cluster for others, once for each host, and nobody where TLS is off or one's own", () => {
    const state = stateWith([
      { host: "shop.example.com", tls: "auto" },
      { host: "shop.internal", tls: "auto" },
      { host: "wiki.example.com", tls: "internal" },
      { host: "plain.example.com", tls: "off" },
      { host: "mine.example.com", tls: { certificate: "mine" } },
    ]);
    expect(planCertificates(state, NOW, half).get).toEqual([
      { name: "shop.internal", source: "internal" },
      { name: "wiki.example.com", source: "internal" },
      { name: "shop.example.com", source: "acme" },
    ]);
  });

  test("renews when a third of the lifetime is left, less a share that differs by name, and then asks for nothing", () => {
    const state = stateWith([{ host: "shop.example.com", tls: "auto" }]);
    const need = { name: "shop.example.com", source: "acme" } as const;
    applyChanges(state, issued(state, need, sealed(NOW, 90)).changes);
    const plan = planCertificates(state, NOW + DAY, half);
    expect(plan.get).toEqual([]);
    expect(plan.nextMs).toBe(renewalAt(NOW, NOW + 90 * DAY, 0.5));
    expect(planCertificates(state, plan.nextMs ?? 0, half).get).toEqual([need]);
    expect(renewalAt(0, 90 * DAY, 0)).toBeGreaterThan(renewalAt(0, 90 * DAY, 1));
  });

  test("waits longer after each failure, keeps what is in use meanwhile, and does not wait when asked", () => {
    const state = stateWith([{ host: "shop.example.com", tls: "auto" }]);
    const need = { name: "shop.example.com", source: "acme" } as const;
    applyChanges(state, failed(state, need, "no such name", NOW).changes);
    expect(planCertificates(state, NOW + 59_000, half)).toMatchObject({ get: [], nextMs: NOW + 60_000 });
    expect(planCertificates(state, NOW + 60_000, half).get).toEqual([need]);
    expect([1, 2, 9].map((failures) => retryAfter(failures) / 60_000)).toEqual([1, 5, 240]);
    applyChanges(state, issued(state, need, sealed(NOW, 90)).changes);
    applyChanges(state, proving(state, need, { token: "t", answer: "t.x" }).changes);
    applyChanges(state, failed(state, need, "no", NOW).changes);
    const record = state.certificate.get("shop.example.com");
    expect(record).toMatchObject({ sealedPem: "v1.x", failures: 1, trouble: "no" });
    expect(record?.challenges).toBeUndefined();
    state.certificate.set("shop.example.com", { ...(record as Certificate), isAsked: true });
    expect(planCertificates(state, NOW, half).get).toEqual([need]);
  });

  test("one of another source stays in use until the new one is there, and is tried for at once", () => {
    const state = stateWith([{ host: "shop.example.com", tls: "auto" }]);
    applyChanges(state, issued(state, { name: "shop.example.com", source: "internal" }, sealed(NOW, 90)).changes);
    const need = { name: "shop.example.com", source: "acme" } as const;
    expect(planCertificates(state, NOW, half).get).toEqual([need]);
    applyChanges(state, failed(state, need, "no", NOW).changes);
    expect(state.certificate.get("shop.example.com")).toMatchObject({ source: "internal", sealedPem: "v1.x" });
    expect(planCertificates(state, NOW, half)).toMatchObject({ get: [], nextMs: NOW + 60_000 });
  });

  test("forgets what no route names, but never one's own", () => {
    const state = stateWith([]);
    const record = (id: string, source: Certificate["source"]): Certificate => ({ id, index: 1, source, hosts: [id] });
    state.certificate.set("gone.example.com", record("gone.example.com", "acme"));
    state.certificate.set("mine", record("mine", "own"));
    const { forget } = planCertificates(state, NOW, half);
    applyChanges(state, forgotten(state, forget).changes);
    expect([...state.certificate.keys()]).toEqual(["mine"]);
    expect(planCertificates(state, NOW, half)).toEqual({ get: [], forget: [], nextMs: undefined });
  });
});
