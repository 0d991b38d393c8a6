// Config files to ConfigMaps: one for each contents, named after it, so that a changed file is a new map and its pods are replaced. Pure.

import type { ConfigFile, ConfigMount } from "../core/model/service-spec.ts";
import type { StackContext } from "./context.ts";
import type { Fields, Manifest } from "./manifest.ts";
import { dnsLabel } from "./names.ts";

const MAX_NAME = 50;
const HASH_CHARACTERS = 8;
/** What one ConfigMap holds at most. */
const MAX_MAP_BYTES = 1_048_576;
/** kubectl apply keeps a copy of the manifest in an annotation, which may be this large. */
const MAX_ANNOTATION_BYTES = 262_144;

/** The name of the map with a config's contents. */
export function configMapName({ name, config }: Pick<ConfigMount, "name" | "config">): string {
  return `${dnsLabel(baseName(name), MAX_NAME)}-${config.slice(0, HASH_CHARACTERS)}`;
}

/** The key of the contents in their map. */
export function configKey({ name }: Pick<ConfigMount, "name">): string {
  const key = baseName(name).replaceAll(/[^-._A-Za-z0-9]/g, "-");
  return /^\.*$/.test(key) ? "config" : key;
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

export function configMaps(context: StackContext): readonly Manifest[] {
  const { stack, services, labels } = context;
  const files = new Map((stack.configs ?? []).map((file) => [file.id, file]));
  const maps = new Map<string, Manifest>();
  const used = new Set<string>();
  for (const { spec, note } of services)
    for (const mount of spec.template.container.mounts) {
      if (mount.kind !== "config") continue;
      const file = files.get(mount.config);
      const name = configMapName(mount);
      used.add(mount.config);
      if (file === undefined) {
        note("configs", `the contents of ${mount.name} are not known`, `make a ConfigMap named ${name}`);
        continue;
      }
      if (!maps.has(name)) maps.set(name, mapOf(context, name, configKey(mount), file));
    }
  for (const { id } of files.values())
    if (!used.has(id)) context.noteOn("")("configs", `contents ${id} are mounted by no service`, "leave them out");
  return [...maps.values()].map((map) => ({ ...map, metadata: { ...map.metadata, labels } }));
}

function mapOf({ noteOn }: StackContext, name: string, key: string, { data }: ConfigFile): Manifest {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const note = noteOn(`configs.${key}`);
  if (bytes.length > MAX_MAP_BYTES)
    note("size", `${bytes.length} bytes are more than a ConfigMap holds (1 MiB)`, "put it into the image or a volume");
  else if (bytes.length > MAX_ANNOTATION_BYTES)
    note("size", `${bytes.length} bytes are too large for a plain kubectl apply`, "use kubectl apply --server-side");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name },
    immutable: true,
    ...contentsOf(key, bytes, data),
  };
}

/** Text as it is, all else in base64. */
function contentsOf(key: string, bytes: Uint8Array, base64: string): Fields {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (isPlainText(text)) return { data: { [key]: text } };
  } catch {
    // no UTF-8: bytes, then
  }
  return { binaryData: { [key]: base64 } };
}

/** Without control characters, which not every reader of YAML gives back as they were. */
function isPlainText(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/.test(text.replaceAll("\r\n", "\n"));
}
