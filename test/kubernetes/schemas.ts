// Manifests held against the schemas that Kubernetes publishes, as the package kubernetes-models compiled them: what breaks a schema is a
// fault, and so is a field that no schema asks for, since the schemas themselves let unknown fields pass.

import { validate as configMap } from "kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap";
import { validate as cronJob } from "kubernetes-models/_schemas/IoK8sApiBatchV1CronJob";
import { validate as daemonSet } from "kubernetes-models/_schemas/IoK8sApiAppsV1DaemonSet";
import { validate as deployment } from "kubernetes-models/_schemas/IoK8sApiAppsV1Deployment";
import { validate as ingress } from "kubernetes-models/_schemas/IoK8sApiNetworkingV1Ingress";
import { validate as job } from "kubernetes-models/_schemas/IoK8sApiBatchV1Job";
import { validate as networkPolicy } from "kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy";
import { validate as persistentVolume } from "kubernetes-models/_schemas/IoK8sApiCoreV1PersistentVolume";
import { validate as claim } from "kubernetes-models/_schemas/IoK8sApiCoreV1PersistentVolumeClaim";
import { validate as priorityClass } from "kubernetes-models/_schemas/IoK8sApiSchedulingV1PriorityClass";
import { validate as secret } from "kubernetes-models/_schemas/IoK8sApiCoreV1Secret";
import { validate as service } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as statefulSet } from "kubernetes-models/_schemas/IoK8sApiAppsV1StatefulSet";
import type { Manifest } from "../../src/kubernetes/manifest.ts";

type Validate = ((data: unknown) => boolean) & { readonly errors?: readonly unknown[] | null };

const SCHEMAS: Readonly<Record<string, Validate>> = {
  ConfigMap: configMap,
  CronJob: cronJob,
  DaemonSet: daemonSet,
  Deployment: deployment,
  Ingress: ingress,
  Job: job,
  NetworkPolicy: networkPolicy,
  PersistentVolume: persistentVolume,
  PersistentVolumeClaim: claim,
  PriorityClass: priorityClass,
  Secret: secret,
  Service: service,
  StatefulSet: statefulSet,
};

/** "Deployment web: …", one for each fault. */
export function schemaFaults(manifest: Manifest): readonly string[] {
  const title = `${manifest.kind} ${manifest.metadata.name}`;
  const validate = SCHEMAS[manifest.kind];
  if (validate === undefined) return [`${title}: there is no schema for its kind`];
  const read = new Set<string>();
  const isValid = validate(watched(manifest, "", read));
  const broken = isValid ? [] : (validate.errors ?? []).map((error) => `${title}: ${JSON.stringify(error)}`);
  const unknown = pathsOf(manifest, "").filter((path) => !read.has(path));
  return [...broken, ...unknown.map((path) => `${title}: no schema knows ${path}`)];
}

/** The same value, which keeps the paths of all that is looked at in it. */
function watched(value: object, path: string, read: Set<string>): object {
  return new Proxy(value, {
    get(target, key, receiver) {
      const found: unknown = Reflect.get(target, key, receiver);
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return found;
      const where = `${path}/${key}`;
      read.add(where);
      return typeof found === "object" && found !== null ? watched(found, where, read) : found;
    },
  });
}

function pathsOf(value: unknown, path: string): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [`${path}/${key}`, ...pathsOf(item, `${path}/${key}`)]);
}
