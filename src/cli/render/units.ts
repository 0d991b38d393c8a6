// Amounts and times as people say them. Pure.

/** "3 s", "5 min", "2 h", "4 d" since an ISO time. */
export function ago(iso: string, nowMs: number): string {
  return duration(Math.max(0, nowMs - Date.parse(iso)));
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

export function bytes(amount: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = amount;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** The short form of an id in tables. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** An image without the digest that pins it: tables have no room for it. */
export function shortImage(image: string): string {
  return image.replace(/@sha256:[0-9a-f]{64}$/, "");
}
