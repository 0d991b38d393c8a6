// What the kernel says of this host: boot id, memory, processor time, disk. Small reads of /proc; nothing is kept.

import { readFileSync, statfsSync } from "node:fs";

export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** MemTotal − MemAvailable: what cannot be had without taking it from somebody. */
export function memoryUsedBytes(meminfo: string = readFileSync("/proc/meminfo", "utf8")): number {
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(meminfo)?.[1] ?? 0);
  return (kib("MemTotal") - kib("MemAvailable")) * 1024;
}

export type CpuTimes = { readonly busy: number; readonly total: number };

/** Ticks since boot over all processors. */
export function cpuTimes(stat: string = readFileSync("/proc/stat", "utf8")): CpuTimes {
  const ticks = (stat.split("\n")[0] ?? "").trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, part) => sum + part, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busy: total - idle, total };
}

/** Busy share of all processors between two readings, 0–1. */
export function cpuFraction(before: CpuTimes, after: CpuTimes): number {
  const total = after.total - before.total;
  return total <= 0 ? 0 : Math.min(1, Math.max(0, (after.busy - before.busy) / total));
}

/** Of the file system that holds a path. */
export function diskBytes(path: string): { readonly free: number; readonly total: number } {
  const stat = statfsSync(path);
  return { free: stat.bavail * stat.bsize, total: stat.blocks * stat.bsize };
}
