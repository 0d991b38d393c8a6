// Medians, percentiles, and the table of results. Pure.

export type Row = {
  readonly what: string;
  /** The measured value with its unit. */
  readonly davit: string;
  /** What it is compared with, if anything. */
  readonly floor?: string;
  readonly target: string;
  readonly holds: boolean;
};

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value that `percent` of the values do not exceed. NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (percent === 50 && sorted.length % 2 === 0 && sorted.length > 0) {
    const upper = sorted.length / 2;
    return ((sorted[upper - 1] ?? Number.NaN) + (sorted[upper] ?? Number.NaN)) / 2;
  }
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** A table for a terminal and for markdown. */
export function renderTable(rows: readonly Row[]): string {
  const cells = [
    ["what", "davit", "beside", "target", ""],
    ...rows.map((row) => [row.what, row.davit, row.floor ?? "", row.target, row.holds ? "holds" : "MISSED"]),
  ];
  const widths = cells[0]?.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0))) ?? [];
  const lines = cells.map((line) => `| ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}
