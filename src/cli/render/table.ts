// Tables for people: columns as wide as their widest cell, two spaces between, no lines around. Pure.

/** The first row is the heading. Trailing spaces are left out. */
export function renderTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => visible(row[column] ?? ""))));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - visible(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Columns that a text takes on a terminal, colours aside. */
function visible(text: string): number {
  return Bun.stringWidth(text);
}

/** A text cut to a width, with an ellipsis. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
