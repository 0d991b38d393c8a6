// Users, capabilities and what confines a container, to the security contexts of a pod and its container. Pure.

import type { ServiceContext } from "./context.ts";
import { type Fields, some, someOf, type Value } from "./manifest.ts";

const MAX_ID = 2_147_483_647;
/** What every node lets a pod set; the kubelets must allow the others. */
const SAFE_SYSCTLS = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);
const NAMESPACED = /^(kernel\.(shm|msg)[a-z_]*|kernel\.sem|fs\.mqueue\.[a-z_]+|net\.[A-Za-z0-9_./-]*[A-Za-z0-9_])$/;

export function containerSecurity(context: ServiceContext): Value {
  const { capAdd = [], capDrop = [], privileged } = context.spec.template.container.runtime;
  const { readOnly } = context.spec.template.container;
  const plain = (name: string): string => name.toUpperCase().replace(/^CAP_/, "");
  const add = capAdd.map(plain);
  return someOf({
    ...confinementOf(context, privileged === true || add.includes("SYS_ADMIN") || add.includes("ALL")),
    capabilities: someOf({ add: some(add), drop: some(capDrop.map(plain)) }),
    privileged,
    readOnlyRootFilesystem: readOnly,
    ...userOf(context),
  });
}

/** `hasClaims`: files of a fresh volume belong to root, so the group of a user who is not root is given them. */
export function podSecurity(context: ServiceContext, hasClaims: boolean): Value {
  const { groups = [] } = context.spec.template.container;
  const named = groups.filter((group) => idOf(group) === undefined);
  if (named.length > 0)
    context.note("group_add", `${named.join(", ")}: Kubernetes takes numbers only`, "write the groups' numbers");
  const { runAsUser, runAsGroup } = readUser(context);
  const group = runAsGroup ?? runAsUser;
  const owns = hasClaims && group !== undefined && group > 0;
  return someOf({
    // an engine confines system calls unless told otherwise; Kubernetes only when told
    seccompProfile: isConfined(context) ? { type: "RuntimeDefault" } : undefined,
    ...(owns ? { fsGroup: group, fsGroupChangePolicy: "OnRootMismatch" } : {}),
    supplementalGroups: some(groups.flatMap((text) => idOf(text) ?? [])),
    sysctls: some(sysctlsOf(context)),
  });
}

function isConfined({ spec }: ServiceContext): boolean {
  const { privileged, securityOpt = [] } = spec.template.container.runtime;
  return privileged !== true && !securityOpt.some((option) => /^seccomp[=:]unconfined$/.test(option));
}

function userOf(context: ServiceContext): Fields {
  const { user } = context.spec.template.container;
  const { runAsUser, runAsGroup, hasNames } = readUser(context);
  if (hasNames)
    context.note(
      "user",
      `'${user}': Kubernetes takes numbers only`,
      "write the numbers, as 1000:1000, or set USER in the image",
    );
  return { runAsUser, runAsGroup };
}

function readUser({ spec }: ServiceContext): {
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly hasNames: boolean;
} {
  const { user } = spec.template.container;
  if (user === undefined || user === "") return { hasNames: false };
  const [name = "", group] = user.split(":");
  const runAsUser = idOf(name);
  const runAsGroup = group === undefined || runAsUser === undefined ? undefined : idOf(group);
  return {
    runAsUser,
    runAsGroup,
    hasNames: runAsUser === undefined || (group !== undefined && runAsGroup === undefined),
  };
}

function idOf(text: string): number | undefined {
  if (text === "root") return 0;
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}

/** `isMighty`: Kubernetes refuses to combine such rights with a ban on gaining more. */
function confinementOf({ spec, note }: ServiceContext, isMighty: boolean): Fields {
  const { securityOpt = [] } = spec.template.container.runtime;
  const fields: Record<string, Value> = {};
  const selinux: Record<string, string> = {};
  const refuse = (option: string, reason: string, wayOut: string): void =>
    note("security_opt", `'${option}': ${reason}`, wayOut);
  for (const option of securityOpt) {
    const cut = option.search(/[=:]/);
    const name = cut === -1 ? option : option.slice(0, cut);
    const value = cut === -1 ? "" : option.slice(cut + 1);
    const label = /^(user|role|type|level):(.+)$/.exec(value);
    if (name === "no-new-privileges" && value === "false") continue;
    if (name === "no-new-privileges" && !isMighty) fields["allowPrivilegeEscalation"] = false;
    else if (name === "no-new-privileges")
      refuse(option, "does not go with such rights in Kubernetes", "drop privileged or SYS_ADMIN");
    else if (name === "seccomp" && value === "unconfined") fields["seccompProfile"] = { type: "Unconfined" };
    else if (name === "seccomp")
      refuse(
        option,
        "the profile must be a file of the node",
        "put it there and set a seccompProfile of type Localhost",
      );
    else if (name === "apparmor" && value !== "") fields["appArmorProfile"] = appArmorOf(value);
    else if (name === "label" && label !== null) selinux[label[1] ?? ""] = label[2] ?? "";
    else refuse(option, "Kubernetes has no such option", "set it on the nodes");
  }
  return { ...fields, seLinuxOptions: someOf(selinux) };
}

function appArmorOf(profile: string): Value {
  if (profile === "unconfined") return { type: "Unconfined" };
  return profile === "docker-default" ? { type: "RuntimeDefault" } : { type: "Localhost", localhostProfile: profile };
}

function sysctlsOf({ spec, note }: ServiceContext): readonly Value[] {
  const { container } = spec.template;
  const given = Object.entries(container.runtime.sysctls ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return given.flatMap(([name, value]): readonly Value[] => {
    const dotted = name.replaceAll("/", ".");
    const isSafe = SAFE_SYSCTLS.has(dotted);
    const isShared =
      (dotted.startsWith("net.") && container.networkMode === "host") ||
      (!dotted.startsWith("net.") && container.runtime.ipcMode === "host");
    if ((!isSafe && !NAMESPACED.test(dotted)) || isShared) {
      note("sysctls", `${name} is the node's own and cannot be set by a pod`, "set it on the nodes");
      return [];
    }
    if (!isSafe)
      note("sysctls", `${name} is unsafe to Kubernetes`, "allow it with allowedUnsafeSysctls of the kubelets");
    return [{ name: dotted, value }];
  });
}
