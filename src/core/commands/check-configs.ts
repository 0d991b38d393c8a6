// Whether the configs that came with a stack are what its services mount: each there, once, whole and not too large. Pure.

import { type ConfigFile, MAX_CONFIG_BYTES, MAX_STACK_CONFIG_BYTES, type StackSpec } from "../model/service-spec.ts";
import { mountedConfigs } from "../work/work-of.ts";
import { type Fault, invalid } from "./fault.ts";

const MODES = 0o7777;

/** What is wrong with a stack's configs and their mounts. */
export function configFaults(spec: StackSpec, hashBytes: (bytes: Uint8Array) => string): readonly Fault[] {
  const configs = spec.configs ?? [];
  const ids = new Set(configs.map(({ id }) => id));
  const mounted = mountedConfigs(spec.services.map((service) => service.template));
  const faults: Fault[] = [];
  let total = 0;
  for (const [at, config] of configs.entries()) {
    const bytes = Buffer.from(config.data, "base64");
    total += bytes.length;
    const fault = contentsFault(config, bytes, hashBytes);
    if (fault !== undefined) faults.push(invalid(`configs[${at}]`, fault));
    else if (!mounted.has(config.id)) faults.push(invalid(`configs[${at}]`, "is mounted by no service of the stack"));
  }
  if (ids.size < configs.length) faults.push(invalid("configs", "the same contents are there twice"));
  if (total > MAX_STACK_CONFIG_BYTES)
    faults.push({
      code: "too_large",
      where: "configs",
      message: `are larger than ${MAX_STACK_CONFIG_BYTES / 1_048_576} MiB together`,
      wayOut: "put what is large into an image or a volume",
    });
  return [...faults, ...spec.services.flatMap((service) => mountFaults(service, ids))];
}

function contentsFault(
  config: ConfigFile,
  bytes: Uint8Array,
  hashBytes: (bytes: Uint8Array) => string,
): string | undefined {
  if (bytes.length > MAX_CONFIG_BYTES) return `is larger than ${MAX_CONFIG_BYTES / 1024} KB`;
  // a text that is not canonical would have two ids for one contents
  if (Buffer.from(bytes).toString("base64") !== config.data) return "is not base64";
  return hashBytes(bytes) === config.id ? undefined : "its id is not the SHA-256 of its contents";
}

function mountFaults(service: StackSpec["services"][number], ids: ReadonlySet<string>): readonly Fault[] {
  return service.template.container.mounts.flatMap((mount) => {
    if (mount.kind !== "config") return [];
    if (!ids.has(mount.config))
      return [invalid(service.name, `mounts config '${mount.name}', whose contents did not come with the stack`)];
    if (!mount.target.startsWith("/"))
      return [invalid(service.name, `config '${mount.name}': '${mount.target}' is no absolute path`)];
    if (mount.mode > MODES) return [invalid(service.name, `config '${mount.name}': mode ${mount.mode} is above 07777`)];
    return [];
  });
}
