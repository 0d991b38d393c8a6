// The template of a service's pods: its one container, and what Kubernetes has on the pod. Pure.

import type { PullPolicy } from "../core/model/service-spec.ts";
import { annotationsOf, type ServiceContext } from "./context.ts";
import { type ExportedPort, escapeDollars, type Fields, seconds, some, someOf, type Value } from "./manifest.ts";
import { lifecycleOf } from "./hooks.ts";
import type { PodMounts } from "./mounts.ts";
import { isDnsLabel, isSubdomain } from "./names.ts";
import { placementOf } from "./placement.ts";
import { priorityClassName } from "./priorities.ts";
import { probesOf } from "./probes.ts";
import { resourcesOf } from "./resources.ts";
import { noteRuntime } from "./runtime.ts";
import { containerSecurity, podSecurity } from "./security.ts";

const PULL: Readonly<Record<PullPolicy, string>> = { missing: "IfNotPresent", always: "Always", never: "Never" };
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;

export type PodInput = {
  readonly env: readonly Value[];
  readonly mounts: PodMounts;
  readonly inside: readonly ExportedPort[];
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  /** A StatefulSet names its pods, and they themselves, by number. */
  readonly isStateful: boolean;
};

export function podTemplateOf(context: ServiceContext, input: PodInput): Fields {
  const { spec, labels, note } = context;
  const { container } = spec.template;
  noteRuntime(context);
  const annotations = annotationsOf({ ...container.labels, ...container.runtime.annotations }, "labels", note);
  const { nodeSelector, affinity, topologySpreadConstraints } = placementOf(context, input.mounts.together);
  return {
    metadata: { labels, annotations },
    spec: {
      ...namespacesOf(context),
      ...namesOf(context, input.isStateful),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: input.restartPolicy === "Always" ? undefined : input.restartPolicy,
      runtimeClassName: runtimeClassOf(context),
      priorityClassName: priorityClassName(context),
      imagePullSecrets: some(context.options.imagePullSecrets.map((name) => ({ name }))),
      securityContext: podSecurity(context, input.mounts.hasClaims),
      terminationGracePeriodSeconds: seconds(container.stopGraceMs),
      nodeSelector,
      affinity,
      topologySpreadConstraints,
      containers: [containerOf(context, input)],
      volumes: some(input.mounts.volumes),
    },
  };
}

function containerOf(context: ServiceContext, { env, mounts, inside }: PodInput): Value {
  const { container } = context.spec.template;
  return {
    name: context.name,
    image: container.image,
    imagePullPolicy: PULL[container.pullPolicy],
    command: wordsOf(context, "entrypoint", container.entrypoint),
    args: wordsOf(context, "command", container.command),
    workingDir: container.workingDir,
    env: some(env),
    ports: some(portsOf(context, inside)),
    resources: resourcesOf(context),
    ...probesOf(context),
    lifecycle: lifecycleOf(context),
    securityContext: containerSecurity(context),
    stdin: container.openStdin,
    tty: container.tty,
    volumeMounts: some(mounts.volumeMounts),
  };
}

/** No words at all mean the image's own to Kubernetes. */
function wordsOf({ note }: ServiceContext, key: string, words: readonly string[] | undefined): Value {
  if (words?.length === 0) note(key, `an empty ${key} is no choice: the image's own is used`, "write the words to run");
  return some((words ?? []).map(escapeDollars));
}

/** A port of a node is taken for mode host only; on the node's own network every port is one already. */
function portsOf({ spec, note }: ServiceContext, inside: readonly ExportedPort[]): readonly Value[] {
  const isHost = spec.template.container.networkMode === "host";
  return inside.map(({ port, protocol }) => {
    const plain = { containerPort: port, protocol: protocol.toUpperCase() };
    const [held, ...more] = spec.template.ports.filter(
      (other) => other.mode === "host" && other.target === port && other.protocol === protocol,
    );
    if (held === undefined || isHost) return plain;
    const { from, to } = held.published;
    if (more.length > 0 || from !== to)
      note("ports", `${port} takes one port of the node: ${from}`, "publish each port on one of the node's");
    return { ...plain, hostPort: from, hostIP: held.hostIp };
  });
}

function namespacesOf({ spec, note }: ServiceContext): Fields {
  const { networkMode, init, runtime } = spec.template.container;
  const hostNetwork = networkMode === "host" ? true : undefined;
  const hostPID = runtime.pidMode === "host" ? true : undefined;
  if (networkMode === "none") note("network_mode", "every pod has a network", "deny its traffic with a NetworkPolicy");
  // the pod's first process then collects what the container leaves behind, as an init would
  const shareProcessNamespace = init === true && hostPID !== true ? true : undefined;
  return {
    hostNetwork,
    hostPID,
    hostIPC: runtime.ipcMode === "host" ? true : undefined,
    hostUsers: runtime.usernsMode === "host" ? true : undefined,
    shareProcessNamespace,
  };
}

function namesOf({ spec, note, name }: ServiceContext, isStateful: boolean): Fields {
  const { hostname, networkMode, runtime } = spec.template.container;
  const { dns = [], dnsSearch = [], dnsOptions = [] } = runtime;
  const isName = hostname !== undefined && !isStateful && isDnsLabel(hostname);
  if (hostname !== undefined && isStateful)
    note(
      "hostname",
      `'${hostname}': the pod of a StatefulSet is called ${name}-0`,
      "let the software take its name from a variable",
    );
  else if (hostname !== undefined && !isName)
    note("hostname", `'${hostname}' is no name of a pod`, "use letters, digits and -, the first a letter");
  if (dns.length > 0)
    note(
      "dns",
      "is asked after the cluster's own DNS, which names services",
      "forward its zones in the configuration of CoreDNS",
    );
  if (dns.length > MAX_NAMESERVERS || dnsSearch.length > MAX_SEARCHES)
    note("dns", `Kubernetes takes ${MAX_NAMESERVERS} servers and ${MAX_SEARCHES} searches`, "name fewer");
  const searches = dnsSearch.filter((domain) => isSubdomain(domain));
  if (searches.length < dnsSearch.length)
    note("dns_search", "holds what is no domain to Kubernetes", "name domains in lower case");
  return {
    hostname: isName ? hostname : undefined,
    dnsPolicy: networkMode === "host" ? "ClusterFirstWithHostNet" : undefined,
    dnsConfig: someOf({
      nameservers: some(dns.slice(0, MAX_NAMESERVERS)),
      searches: some(searches.slice(0, MAX_SEARCHES)),
      options: some(dnsOptions.map(dnsOption)),
    }),
    hostAliases: some(hostAliasesOf(runtime.extraHosts ?? [], note)),
  };
}

function dnsOption(option: string): Value {
  const cut = option.indexOf(":");
  return cut === -1 ? { name: option } : { name: option.slice(0, cut), value: option.slice(cut + 1) };
}

/** "name:address" to names by their address. */
function hostAliasesOf(hosts: readonly string[], note: ServiceContext["note"]): readonly Value[] {
  const byAddress = new Map<string, string[]>();
  for (const host of hosts) {
    const cut = host.indexOf(":");
    const [name, ip] = [host.slice(0, cut).toLowerCase(), host.slice(cut + 1)];
    if (ip === "host-gateway" || !isSubdomain(name))
      note(
        "extra_hosts",
        `'${host}' cannot be told before the pod is on its node`,
        "use the downward API: status.hostIP",
      );
    else byAddress.set(ip, [...(byAddress.get(ip) ?? []), name]);
  }
  return [...byAddress].map(([ip, hostnames]) => ({ ip, hostnames }));
}

function runtimeClassOf({ spec, note }: ServiceContext): string | undefined {
  const { runtimeName } = spec.template.container.runtime;
  // what Kubernetes runs without being told
  if (runtimeName === undefined || runtimeName === "runc") return undefined;
  const isName = isSubdomain(runtimeName);
  note(
    "runtime",
    isName ? `a RuntimeClass named ${runtimeName} must be there` : `'${runtimeName}' is no name of a RuntimeClass`,
    "make a RuntimeClass whose handler is the nodes' runtime",
  );
  return isName ? runtimeName : undefined;
}
