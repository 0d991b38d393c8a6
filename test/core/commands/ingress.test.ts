// Routes and certificates as commands see them: what no stack may claim, what certificates are good for, and what maintenance needs.

import { describe, expect, test } from "vitest";
import {
  certificateFaults,
  putCertificate,
  removeCertificate,
  renewCertificate,
  setMaintenance,
} from "../../../src/core/commands/certificates.ts";
import { ingressClashes, ingressFaults } from "../../../src/core/commands/check-ingress.ts";
import type { CommandContext } from "../../../src/core/commands/command.ts";
import { joinDifferences, describeSpecChange } from "../../../src/core/commands/describe-change.ts";
import type { IngressSpec } from "../../../src/core/model/ingress.ts";
import type { ServiceSpec } from "../../../src/core/model/service-spec.ts";
import { applyChanges, emptyState, type MutableState } from "../../../src/core/model/world.ts";
import { serviceOf } from "../../fakes/stacks.ts";

const CONTEXT = { nowMs: 1_800_000_000_000 } as CommandContext;

function spec(name: string, ingress: readonly Partial<IngressSpec>[], more: Partial<ServiceSpec> = {}): ServiceSpec {
  const routes = ingress.map((route): IngressSpec => ({
    host: "a.example.com",
    path: "/",
    port: 80,
    tls: "auto",
    ...route,
  }));
  return { ...serviceOf("shop", "web"), name, ingress: routes, ...more };
}

const told = (faults: readonly { readonly message: string }[]): readonly string[] =>
  faults.map(({ message }) => message);

describe("routes", () => {
  test.each([
    [{ host: `${"a".repeat(500)}.com` }, "has 504 characters"],
    [{ host: "2001:db8::1" }, "is an IPv6 address"],
    [{ host: "*" }, "has a star that stands for more than the first label"],
    [{ port: 0 }, "port 0 is not from 1 to 65535"],
    [{ path: "/../x" }, "has a dot segment"],
    [{ requestHeaders: { "X-A": "a\r\nb" } }, "X-A has a value of several lines"],
    [{ users: [{ name: "ann", hash: "secret" }] }, "users: 'ann' wants NAME:HASH"],
    [{ deny: ["10.0.0.256"] }, "is not an IPv4 address"],
    [{ errorPages: { "503": "x".repeat(9_000) } }, "a page has at most"],
    [{ protocol: "tcp" }, "protocol tcp goes to the containers' own TLS"],
    [{ protocol: "tcp", tls: "off", path: "/a" }, "led by host alone"],
    [{ protocol: "tcp", tls: "off", maxBodyBytes: 1 }, "leave max_body out"],
    [{ tunnelTimeoutMs: 2_592_000_000 }, "tunnel_timeout: 2592000000 is not from 10 to 2073600000"],
    [{ rateLimit: { requests: 0, perMs: 1_000 } }, "rate_limit.requests: 0"],
  ] as const)("%o are refused in words", (route, fault) => {
    expect(told(ingressFaults(spec("web", [route]))).join()).toContain(fault);
  });

  test("a host and path belong to one service, in the stack and beside it", () => {
    const [web, api] = [spec("shop_web", [{}]), spec("shop_api", [{}, { path: "/api" }])];
    expect(told(ingressClashes([web, api], [], false))).toEqual(["ingress a.example.com/: shop_web has it already"]);
    expect(told(ingressClashes([api], [web], false))).toEqual(["ingress a.example.com/: shop_web has it already"]);
    expect(ingressClashes([spec("shop_api", [{ path: "/api" }])], [web], false)).toEqual([]);
  });

  test("a host that is led by SNI has no other's paths under it", () => {
    const tcp = spec("shop_db", [{ protocol: "tcp", tls: "off" }]);
    expect(ingressFaults(tcp)).toEqual([]);
    const message = "ingress a.example.com/api: shop_db has all connections to a.example.com, by protocol tcp";
    expect(told(ingressClashes([tcp], [spec("shop_api", [{ path: "/api" }])], false))).toEqual([message]);
    expect(told(ingressClashes([spec("shop_api", [{ path: "/api" }])], [tcp], false))).toEqual([message]);
    expect(ingressClashes([spec("shop_api", [{ host: "b.example.com", path: "/api" }])], [tcp], false)).toEqual([]);
  });

  test("a wildcard wants a proof by DNS, or a certificate that needs none", () => {
    expect(told(ingressClashes([spec("web", [{ host: "*.example.org" }])], [], false)).join()).toContain(
      "only for a proof by DNS",
    );
    expect(ingressClashes([spec("web", [{ host: "*.example.org" }])], [], true)).toEqual([]);
    expect(ingressClashes([spec("web", [{ host: "*.example.org", tls: "internal" }])], [], false)).toEqual([]);
  });

  test("ports 80 and 443 of every node are the ingress's once there is a route, whoever came first", () => {
    const web = spec("shop_web", [{}]);
    const template = web.template;
    const taker = {
      ...web,
      name: "other_proxy",
      template: {
        ...template,
        ports: [{ target: 80, published: { from: 443, to: 443 }, protocol: "tcp", mode: "host" }],
      },
    } as ServiceSpec;
    const { ingress: _ingress, ...without } = taker;
    expect(told(ingressClashes([without], [web], false)).join()).toContain(
      "publishes tcp port 443, which the ingress routes of shop_web need",
    );
    expect(told(ingressClashes([web], [without], false)).join()).toContain("publishes tcp port 443");
    expect(ingressClashes([without], [], false)).toEqual([]);
  });

  test("a plan names the routes that come, change and go, and says when the proxies reload", () => {
    const before = spec("web", [{}, { host: "b.example.com" }]);
    const plain = joinDifferences(describeSpecChange(before, spec("web", [{}, { host: "c.example.com" }])));
    expect(plain).toBe("ingress -b.example.com/ +c.example.com/");
    expect(
      joinDifferences(describeSpecChange(before, spec("web", [{ sticky: true }, { host: "b.example.com" }]))),
    ).toBe("ingress ~a.example.com/ (with a reload of the nodes' ingress, at most once a minute)");
  });
});

describe("certificates", () => {
  const sealed = {
    hosts: ["a.example.com", "*.b.example.com"],
    issuer: "test",
    notBeforeMs: 0,
    notAfterMs: 1,
    sealedPem: "v1.x",
  };

  function stateWith(ingress: readonly Partial<IngressSpec>[]): MutableState {
    const state = emptyState();
    const full = spec("shop_web", ingress);
    state.service.set("s1", { id: "s1", index: 3, name: "shop_web", version: 1 } as never);
    state.serviceVersion.set("s1/1", { id: "s1/1", serviceId: "s1", version: 1, spec: full } as never);
    return state;
  }

  test("routes may name one that is there and good for their host", () => {
    const state = stateWith([]);
    const faults = (host: string, certificate: string) =>
      told(certificateFaults([spec("web", [{ host, tls: { certificate } }])], state)).join();
    expect(faults("a.example.com", "mine")).toContain("there is no certificate 'mine'");
    applyChanges(state, putCertificate("mine", sealed)(state, CONTEXT).changes);
    expect(faults("a.example.com", "mine")).toBe("");
    expect(faults("x.b.example.com", "mine")).toBe("");
    expect(faults("x.y.b.example.com", "mine")).toContain("certificate mine is for a.example.com, *.b.example.com");
    expect(faults("a.example.com", "mini")).toContain("did you mean mine?");
  });

  test("one that a route names can be replaced by one as good, and not removed", () => {
    const state = stateWith([{ tls: { certificate: "mine" } }]);
    applyChanges(state, putCertificate("mine", sealed)(state, CONTEXT).changes);
    expect(() => putCertificate("mine", { ...sealed, hosts: ["c.example.com"] })(state, CONTEXT)).toThrow(
      "it is not good for a.example.com",
    );
    expect(() => removeCertificate("mine")(state, CONTEXT)).toThrow("shop_web serves a.example.com with it");
    expect(() => renewCertificate("mine")(state, CONTEXT)).toThrow("it is your own");
    expect(() => removeCertificate("nine")(state, CONTEXT)).toThrow("there is no 'nine'");
    expect(() => putCertificate("no name", sealed)(state, CONTEXT)).toThrow("is not a name for one");
  });

  test("maintenance is for services with routes, is kept by the next deploy, and asking twice is once", () => {
    const state = stateWith([{}]);
    const outcome = setMaintenance({ ref: "shop_web", isOn: true })(state, CONTEXT);
    applyChanges(state, outcome.changes);
    expect(outcome.result).toMatchObject({ maintenance: true, index: 4 });
    expect(setMaintenance({ ref: "shop_web", isOn: true })(state, CONTEXT).changes).toEqual([]);
    applyChanges(state, setMaintenance({ ref: "shop_web", isOn: false })(state, CONTEXT).changes);
    expect(state.service.get("s1")?.maintenance).toBeUndefined();
    const without = stateWith([]);
    expect(() => setMaintenance({ ref: "shop_web", isOn: true })(without, CONTEXT)).toThrow(
      "no ingress route leads to it",
    );
  });
});
