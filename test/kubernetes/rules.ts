// What an API server refuses although the schemas allow it: names, values of labels, references that lead nowhere, values out of range,
// fields that do not go together. Only rules that an export could break are here.

import type { Manifest } from "../../src/kubernetes/manifest.ts";

type Json = { readonly [key: string]: unknown };

const DNS_1035 = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const QUALIFIED = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/i;
const QUANTITY = /^\d+(\.\d+)?(m|k|[KMGTPE]i?)?$/;
const WORKLOADS: ReadonlySet<string> = new Set(["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"]);

function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((found, key) => (found as Json | undefined)?.[key], value);
}
function listAt(value: unknown, ...path: readonly (string | number)[]): readonly Json[] {
  return (at(value, ...path) ?? []) as readonly Json[];
}

/** The template of a workload's pods. */
function podOf(manifest: Manifest): unknown {
  return manifest.kind === "CronJob"
    ? at(manifest, "spec", "jobTemplate", "spec", "template")
    : at(manifest, "spec", "template");
}

/** A sentence for each rule that is broken. */
export function ruleFaults(manifests: readonly Manifest[]): readonly string[] {
  const titles = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const twice = titles.filter((title, position) => titles.indexOf(title) !== position);
  return [
    ...twice.map((title) => `${title} is there twice`),
    ...nodePortFaults(manifests),
    ...manifests.flatMap((manifest) => {
      const pod = podOf(manifest);
      const faults = [
        ...metadataFaults(manifest),
        ...undefinedIn(manifest, ""),
        ...(manifest.kind === "Service" ? serviceFaults(manifest, manifests) : []),
        ...(WORKLOADS.has(manifest.kind) ? [...workloadFaults(manifest), ...podFaults(pod, manifest, manifests)] : []),
        ...(manifest.kind === "Ingress" ? ingressFaults(manifest, manifests) : []),
        ...(manifest.kind === "ConfigMap" ? configFaults(manifest) : []),
      ];
      return faults.map((fault) => `${manifest.kind} ${manifest.metadata.name}: ${fault}`);
    }),
  ];
}

function nodePortFaults(manifests: readonly Manifest[]): readonly string[] {
  const taken = manifests.flatMap((manifest) =>
    listAt(manifest, "spec", "ports").flatMap(({ nodePort }) => nodePort ?? []),
  );
  return new Set(taken).size === taken.length ? [] : ["a node port is there twice"];
}

function metadataFaults({ kind, metadata }: Manifest): readonly string[] {
  const isLabel = kind === "Service" || WORKLOADS.has(kind);
  const isLegal = (isLabel ? DNS_1035 : DNS_1123).test(metadata.name) && metadata.name.length <= 253;
  return [
    ...(isLegal ? [] : ["its name is illegal"]),
    ...Object.entries(metadata.labels ?? {}).flatMap(([key, value]) =>
      QUALIFIED.test(key) && LABEL_VALUE.test(value) ? [] : [`label ${key}: '${value}' is illegal`],
    ),
    ...Object.keys(metadata.annotations ?? {}).flatMap((key) =>
      QUALIFIED.test(key) ? [] : [`annotation ${key} is illegal`],
    ),
  ];
}

function undefinedIn(value: unknown, path: string): readonly string[] {
  if (value === undefined || value === null || (typeof value === "number" && !Number.isFinite(value)))
    return [`${path} is ${String(value)}`];
  if (typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, item]) => undefinedIn(item, `${path}.${key}`));
}

function serviceFaults(manifest: Manifest, all: readonly Manifest[]): readonly string[] {
  const ports = listAt(manifest, "spec", "ports");
  const keys = ports.map(({ port, protocol }) => `${String(port)}/${String(protocol)}`);
  const names = ports.map(({ name }) => String(name));
  const selector = JSON.stringify(at(manifest, "spec", "selector"));
  const isFound = all.some(
    (other) =>
      WORKLOADS.has(other.kind) &&
      Object.entries(JSON.parse(selector) as Json).every(
        ([key, value]) => at(podOf(other), "metadata", "labels", key) === value,
      ),
  );
  return [
    ...(new Set(keys).size === keys.length && new Set(names).size === names.length ? [] : ["a port is there twice"]),
    ...(ports.length > 0 || at(manifest, "spec", "clusterIP") === "None"
      ? []
      : ["it has no ports and is not headless"]),
    ...(isFound ? [] : ["it selects no pods"]),
    ...ports.flatMap(({ name, nodePort = 30_000 }) =>
      /^[a-z0-9-]{1,15}$/.test(String(name)) && Number(nodePort) >= 30_000 && Number(nodePort) <= 32_767
        ? []
        : [`port ${String(name)} is illegal`],
    ),
  ];
}

function workloadFaults(manifest: Manifest): readonly string[] {
  const faults: string[] = [];
  const labels = at(podOf(manifest), "metadata", "labels") as Json;
  const selector = (at(manifest, "spec", "selector", "matchLabels") ?? {}) as Json;
  if (!Object.entries(selector).every(([key, value]) => labels[key] === value))
    faults.push("it does not select its own pods");
  if (manifest.metadata.name.length > 52) faults.push("its name is too long for what is derived from it");
  for (const path of [["strategy"], ["updateStrategy"]]) {
    const rolling = at(manifest, "spec", ...path, "rollingUpdate") as Json | undefined;
    const isZero = (value: unknown): boolean => value === 0 || value === "0%";
    if (rolling !== undefined && isZero(rolling["maxSurge"]) && isZero(rolling["maxUnavailable"]))
      faults.push("its strategy may change nothing");
    if (
      manifest.kind === "DaemonSet" &&
      rolling !== undefined &&
      !isZero(rolling["maxSurge"]) &&
      !isZero(rolling["maxUnavailable"])
    )
      faults.push("a DaemonSet takes one of maxSurge and maxUnavailable");
  }
  const deadline = Number(at(manifest, "spec", "progressDeadlineSeconds") ?? 600);
  if (manifest.kind === "Deployment" && deadline <= Number(at(manifest, "spec", "minReadySeconds") ?? 0))
    faults.push("its deadline is before a pod can be ready");
  return faults;
}

function podFaults(pod: unknown, manifest: Manifest, all: readonly Manifest[]): readonly string[] {
  const faults: string[] = [];
  const spec = at(pod, "spec");
  const [container] = listAt(spec, "containers");
  const templates = listAt(manifest, "spec", "volumeClaimTemplates").map((claim) =>
    String(at(claim, "metadata", "name")),
  );
  const volumes = [...listAt(spec, "volumes").map(({ name }) => String(name)), ...templates];
  if (new Set(volumes).size !== volumes.length) faults.push("two volumes have one name");
  const mounts = listAt(container, "volumeMounts");
  const paths = mounts.map(({ mountPath }) => String(mountPath));
  if (new Set(paths).size !== paths.length) faults.push("two mounts have one path");
  for (const { name } of mounts)
    if (!volumes.includes(String(name))) faults.push(`mount ${String(name)} has no volume`);
  for (const name of volumes) {
    if (!DNS_1035.test(name)) faults.push(`volume ${name} has an illegal name`);
    if (!mounts.some((mount) => mount["name"] === name)) faults.push(`volume ${name} is mounted nowhere`);
  }
  for (const volume of listAt(spec, "volumes")) {
    const map = at(volume, "configMap", "name") as string | undefined;
    if (map !== undefined && !all.some(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === map))
      faults.push(`there is no ConfigMap ${map}`);
    if (((at(volume, "hostPath", "path") ?? "") as string).split("/").includes("..")) faults.push("a hostPath goes up");
  }
  for (const { name, valueFrom } of listAt(container, "env")) {
    const key = at(valueFrom, "secretKeyRef") as Json | undefined;
    const secret = all.find(({ kind, metadata }) => kind === "Secret" && metadata.name === key?.["name"]);
    if (key !== undefined && at(secret, "stringData", String(key["key"])) === undefined)
      faults.push(`variable ${String(name)} has no Secret`);
  }
  const ports = listAt(container, "ports").map(
    ({ containerPort, protocol }) => `${String(containerPort)}/${String(protocol)}`,
  );
  if (new Set(ports).size !== ports.length) faults.push("a container port is there twice");
  const priority = at(spec, "priorityClassName");
  if (
    priority !== undefined &&
    !all.some(({ kind, metadata }) => kind === "PriorityClass" && metadata.name === priority)
  )
    faults.push("its PriorityClass is not there");
  return [...faults, ...securityFaults(spec, container), ...resourceFaults(container), ...metadataOf(pod)];
}

function metadataOf(pod: unknown): readonly string[] {
  const annotations = Object.keys(at(pod, "metadata", "annotations") ?? {});
  return annotations.filter((key) => !QUALIFIED.test(key)).map((key) => `annotation ${key} is illegal`);
}

function securityFaults(spec: unknown, container: unknown): readonly string[] {
  const security = at(container, "securityContext");
  const added = (at(security, "capabilities", "add") ?? []) as readonly string[];
  const isMighty = at(security, "privileged") === true || added.includes("SYS_ADMIN");
  const sysctls = listAt(spec, "securityContext", "sysctls").map(({ name }) => String(name));
  return [
    ...(at(security, "allowPrivilegeEscalation") === false && isMighty ? ["it bans what it gives"] : []),
    ...(at(spec, "hostPID") === true && at(spec, "shareProcessNamespace") === true
      ? ["it shares two process namespaces"]
      : []),
    ...(at(spec, "hostNetwork") === true && sysctls.some((name) => name.startsWith("net."))
      ? ["it sets the node's sysctls"]
      : []),
    ...(new Set(sysctls).size === sysctls.length ? [] : ["a sysctl is there twice"]),
    ...listAt(container, "volumeMounts").flatMap(({ mountPropagation }) =>
      mountPropagation === "Bidirectional" && at(security, "privileged") !== true
        ? ["it propagates without privileges"]
        : [],
    ),
  ];
}

function resourceFaults(container: unknown): readonly string[] {
  const limits = (at(container, "resources", "limits") ?? {}) as Readonly<Record<string, string>>;
  const requests = (at(container, "resources", "requests") ?? {}) as Readonly<Record<string, string>>;
  const odd = [...Object.entries(limits), ...Object.entries(requests)].filter(([, amount]) => !QUANTITY.test(amount));
  const above = Object.keys(requests).filter(
    (key) => limits[key] !== undefined && amountOf(requests[key]) > amountOf(limits[key]),
  );
  return [
    ...odd.map(([key, amount]) => `${key}: '${amount}' is no quantity`),
    ...above.map((key) => `${key}: asks for more than its limit`),
  ];
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

function amountOf(quantity: string | undefined): number {
  const match = /^([\d.]+)(\D*)$/.exec(quantity ?? "0");
  return Number(match?.[1] ?? 0) * (UNITS[match?.[2] ?? ""] ?? Number.NaN);
}

function ingressFaults(manifest: Manifest, all: readonly Manifest[]): readonly string[] {
  return listAt(manifest, "spec", "rules").flatMap((rule) =>
    listAt(rule, "http", "paths").flatMap((path) => {
      const name = at(path, "backend", "service", "name");
      const number = at(path, "backend", "service", "port", "number");
      const service = all.find(({ kind, metadata }) => kind === "Service" && metadata.name === name);
      const isThere = listAt(service, "spec", "ports").some(({ port }) => port === number);
      return isThere ? [] : [`nothing listens behind ${String(at(rule, "host"))}`];
    }),
  );
}

function configFaults(manifest: Manifest): readonly string[] {
  const keys = Object.keys({ ...(at(manifest, "data") as Json), ...(at(manifest, "binaryData") as Json) });
  return keys.filter((key) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key)).map((key) => `key ${key} is illegal`);
}
