// What holds exported manifests against Kubernetes must itself find what is wrong with one.

import { expect, test } from "vitest";
import type { Manifest } from "../../src/kubernetes/manifest.ts";
import { ruleFaults } from "./rules.ts";
import { schemaFaults } from "./schemas.ts";

const LABELS = { app: "web" };

function deployment(spec: Manifest["spec"], container: Manifest["spec"] = {}): Manifest {
  const template = {
    metadata: { labels: LABELS },
    spec: { containers: [{ name: "web", image: "nginx", ...(container as object) }] },
  };
  const fields = { selector: { matchLabels: LABELS }, template, ...(spec as object) };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", labels: LABELS }, spec: fields };
}

test("a manifest that is right has no faults", () => {
  expect(schemaFaults(deployment({ replicas: 1 }))).toEqual([]);
  expect(ruleFaults([deployment({ replicas: 1 })])).toEqual([]);
});

test("a wrong type, a missing field and a wrong version are found", () => {
  expect(schemaFaults(deployment({ replicas: "1" }))).not.toEqual([]);
  expect(
    schemaFaults(deployment({ template: {} })).length + schemaFaults(deployment({ selector: undefined })).length,
  ).toBeGreaterThan(0);
  expect(schemaFaults({ ...deployment({}), apiVersion: "apps/v2" })).not.toEqual([]);
});

test("a field that no schema knows is found, at any depth", () => {
  expect(schemaFaults(deployment({ replica: 1 }))).toEqual(["Deployment web: no schema knows /spec/replica"]);
  expect(schemaFaults(deployment({}, { readinessProbe: { httpGet: { port: 80, pathe: "/" } } }))).toEqual([
    "Deployment web: no schema knows /spec/template/spec/containers/0/readinessProbe/httpGet/pathe",
  ]);
});

test("a kind without a schema is found", () => {
  expect(schemaFaults({ apiVersion: "v1", kind: "Thing", metadata: { name: "one" } })).toHaveLength(1);
});

test("what only an API server refuses is found", () => {
  const service = (spec: Manifest["spec"]): Manifest => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec,
  });
  const ports = [{ name: "tcp-80", port: 80, protocol: "TCP" }];
  expect(ruleFaults([service({ ports, selector: LABELS })])).toEqual(["Service web: it selects no pods"]);
  expect(ruleFaults([deployment({}), service({ selector: LABELS })])).toEqual([
    "Service web: it has no ports and is not headless",
  ]);
  expect(ruleFaults([deployment({}, { volumeMounts: [{ name: "data", mountPath: "/data" }] })])).toEqual([
    "Deployment web: mount data has no volume",
  ]);
  expect(ruleFaults([{ ...deployment({}), metadata: { name: "Web" } }])).toEqual([
    "Deployment Web: its name is illegal",
  ]);
});
