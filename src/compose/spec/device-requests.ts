// gpus: and deploy.resources.reservations.devices to requests for devices that a driver of the engine provides. Pure.

import type { DeviceRequest } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode, written } from "../tree/node.ts";
import type { Reader } from "./reader.ts";

const ALL = -1;
const COUNT = { min: -1, max: 1_024, whole: true } as const;

/** Undefined when neither key is used. */
export function readDeviceRequests(
  reader: Reader,
  service: MapNode,
  path: string,
): readonly DeviceRequest[] | undefined {
  const gpus = get(service, "gpus");
  const resources = mapAt(get(mapAt(get(service, "deploy")), "resources"));
  const devices = get(mapAt(get(resources, "reservations")), "devices");
  const requests = [
    ...readGpus(reader, gpus, `${path}.gpus`),
    ...reader
      .list(devices, `${path}.deploy.resources.reservations.devices`)
      .flatMap((item, at) => readReserved(reader, item, `${path}.deploy.resources.reservations.devices[${at}]`)),
  ];
  return requests.length === 0 ? undefined : requests;
}

function mapAt(node: ComposeNode | undefined): MapNode | undefined {
  return node?.kind === "map" ? node : undefined;
}

function readGpus(reader: Reader, node: ComposeNode | undefined, path: string): readonly DeviceRequest[] {
  if (node === undefined || written(node) === undefined) return [];
  if (node.kind === "scalar") {
    if (node.text === "all") return [{ count: ALL, capabilities: [["gpu"]], options: {} }];
    reader.problem(node.at, path, `'${node.text}' is not all, or a list of requests`);
    return [];
  }
  return reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    const map = reader.section(item, where, "services.*.gpus");
    const capabilities = new Set(["gpu", ...reader.texts(get(map, "capabilities"), `${where}.capabilities`)]);
    return map === undefined ? [] : (readRequest(reader, map, where, [...capabilities]) ?? []);
  });
}

function readReserved(reader: Reader, item: ComposeNode, where: string): readonly DeviceRequest[] {
  const map = reader.section(item, where, "services.*.deploy.resources.reservations.devices");
  const capabilities = reader.texts(get(map, "capabilities"), `${where}.capabilities`);
  if (map === undefined) return [];
  if (capabilities.length > 0) return readRequest(reader, map, where, capabilities) ?? [];
  return reader.problem(map.at, where, "lacks capabilities, such as [gpu]") ?? [];
}

function readRequest(
  reader: Reader,
  map: MapNode,
  where: string,
  capabilities: readonly string[],
): readonly DeviceRequest[] | undefined {
  const ids = reader.texts(get(map, "device_ids"), `${where}.device_ids`);
  const countNode = get(map, "count");
  const isAll = reader.text(countNode, `${where}.count`) === "all";
  const count = isAll ? ALL : reader.number(countNode, `${where}.count`, COUNT);
  const driver = reader.text(get(map, "driver"), `${where}.driver`);
  if (ids.length > 0 && count !== undefined)
    return reader.problem(map.at, where, "wants either count or device_ids, not both");
  const options = reader.textMap(get(map, "options"), `${where}.options`);
  return [
    {
      capabilities: [capabilities.toSorted()],
      options,
      ...(driver === undefined ? {} : { driver }),
      ...(ids.length > 0 ? { ids } : { count: count ?? ALL }),
    },
  ];
}
