// blkio_config to limits of block devices. Pure.

import type { BlockIoLimits, DeviceRate } from "../../core/model/service-spec.ts";
import { type ComposeNode, get, type MapNode, written } from "../tree/node.ts";
import type { Reader } from "./reader.ts";

const PATTERN = "services.*.blkio_config";
const WEIGHT = { min: 10, max: 1_000, whole: true } as const;
const RATE = { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true } as const;

export function readBlockIo(reader: Reader, node: ComposeNode | undefined, path: string): BlockIoLimits | undefined {
  const map = reader.section(node, path, PATTERN);
  if (map === undefined) return undefined;
  const rates = (key: string, inBytes: boolean): readonly DeviceRate[] | undefined =>
    readRates(reader, map, key, `${path}.${key}`, inBytes);
  const limits: { readonly [Key in keyof BlockIoLimits]: BlockIoLimits[Key] | undefined } = {
    weight: reader.number(get(map, "weight"), `${path}.weight`, WEIGHT),
    weightDevices: readWeights(reader, map, path),
    readBytes: rates("device_read_bps", true),
    writeBytes: rates("device_write_bps", true),
    readOperations: rates("device_read_iops", false),
    writeOperations: rates("device_write_iops", false),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

function readWeights(reader: Reader, map: MapNode, path: string): BlockIoLimits["weightDevices"] | undefined {
  const node = get(map, "weight_device");
  if (written(node) === undefined) return undefined;
  return reader.list(node, `${path}.weight_device`).flatMap((item, at) => {
    const where = `${path}.weight_device[${at}]`;
    const entry = reader.section(item, where, `${PATTERN}.weight_device`);
    const device = readDevicePath(reader, item, entry, where);
    const weight = reader.number(get(entry, "weight"), `${where}.weight`, WEIGHT);
    if (weight === undefined && get(entry, "weight") === undefined) reader.problem(item.at, where, "lacks weight");
    return device === undefined || weight === undefined ? [] : [{ path: device, weight }];
  });
}

function readRates(
  reader: Reader,
  map: MapNode,
  key: string,
  path: string,
  inBytes: boolean,
): readonly DeviceRate[] | undefined {
  const node = get(map, key);
  if (written(node) === undefined) return undefined;
  return reader.list(node, path).flatMap((item, at) => {
    const where = `${path}[${at}]`;
    const entry = reader.section(item, where, `${PATTERN}.${key}`);
    const device = readDevicePath(reader, item, entry, where);
    const value = get(entry, "rate");
    const rate = inBytes ? reader.bytes(value, `${where}.rate`) : reader.number(value, `${where}.rate`, RATE);
    if (rate === undefined && value === undefined) reader.problem(item.at, where, "lacks rate");
    return device === undefined || rate === undefined ? [] : [{ path: device, rate }];
  });
}

function readDevicePath(
  reader: Reader,
  item: ComposeNode,
  entry: MapNode | undefined,
  where: string,
): string | undefined {
  const device = reader.text(get(entry, "path"), `${where}.path`);
  if (device?.startsWith("/") === true) return device;
  return reader.problem(item.at, where, "lacks path, the device's absolute path on the node");
}
