// The machine's clocks and timers behind the Clock port. Boot time comes from clock_gettime(CLOCK_BOOTTIME), which goes on during suspend.

import { dlopen, FFIType, ptr } from "bun:ffi";
import { readFileSync } from "node:fs";
import type { Clock, Timer } from "../ports/clock.ts";

const CLOCK_BOOTTIME = 7;

/** A clock of this machine. Where libc cannot be opened, boot time is read from /proc/uptime (10 ms steps); elsewhere than Linux from the monotonic clock. */
export function createSystemClock(): Clock {
  const bootMs = bootClock();
  const bootId = readBootId();
  return {
    nowMs: () => Date.now(),
    bootMs,
    bootId: () => bootId,
    after: startTimer,
    sleep: (delayMs) => new Promise((resolve) => void startTimer(delayMs, resolve)),
  };
}

function startTimer(delayMs: number, run: () => void): Timer {
  const handle = setTimeout(run, delayMs);
  return { cancel: () => clearTimeout(handle) };
}

/** Elsewhere than on Linux the clock is the process's own. */
function readBootId(): string {
  if (process.platform !== "linux") return `process ${process.pid} ${Date.now()}`;
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

function bootClock(): () => number {
  if (process.platform !== "linux") return () => performance.now();
  try {
    const libc = dlopen("libc.so.6", { clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } });
    const time = new BigInt64Array(2);
    const address = ptr(time);
    return () => {
      libc.symbols.clock_gettime(CLOCK_BOOTTIME, address);
      return Number(time[0]) * 1_000 + Number(time[1]) / 1e6;
    };
  } catch {
    return () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1_000;
  }
}
