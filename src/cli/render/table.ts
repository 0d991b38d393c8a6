// Tables for people: columns as wide as their widest cell, two spaces between, no lines around. Pure.

/** The first row is the heading. Trailing spaces are left out. */
export function renderTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => Bun.stringWidth(row[column] ?? ""))));
  return all.map((row) => renderRow(row, widths)).join("\n");
}

function renderRow(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - Bun.stringWidth(cell))))
    .join("  ")
    .trimEnd();
}

/** A text cut to a number of columns, with an ellipsis; colours are closed, line breaks become spaces. */
export function cut(text: string, columns: number): string {
  const line = text.replaceAll(/\s*[\r\n]+\s*/g, " ");
  return Bun.stringWidth(line) <= columns ? line : Bun.sliceAnsi(line, 0, Math.max(1, columns), "…");
}
