// Volumes at the top level of the file. Pure.

import type { VolumeSpec } from "../../core/model/service-spec.ts";
import { get, type MapNode, written } from "../tree/node.ts";
import { isExternal } from "./external.ts";
import { named, type Reader } from "./reader.ts";

/** The file's volumes by their keys. */
export function readVolumes(reader: Reader, root: MapNode, stack: string): ReadonlyMap<string, VolumeSpec> {
  const volumes = new Map<string, VolumeSpec>();
  for (const [key, { keyAt, node }] of named(reader.map(get(root, "volumes"), "volumes"))) {
    const path = `volumes.${key}`;
    const map = reader.section(node, path, "volumes.*");
    const { external, name } = isExternal(reader, map, path);
    for (const option of ["driver", "driver_opts", "labels"])
      if (external && written(get(map, option)) !== undefined)
        reader.problem(keyAt, `${path}.${option}`, "does not go with external: whoever makes the volume decides");
    const driver = reader.text(get(map, "driver"), `${path}.driver`) ?? "local";
    volumes.set(key, {
      name: name ?? (external ? key : `${stack}_${key}`),
      stack,
      driver: driver === "default" || driver === "" ? "local" : driver,
      driverOpts: reader.textMap(get(map, "driver_opts"), `${path}.driver_opts`),
      labels: reader.textMap(get(map, "labels"), `${path}.labels`),
      external,
    });
  }
  return volumes;
}
