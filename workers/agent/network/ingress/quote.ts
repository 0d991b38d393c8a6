// Texts as the proxy's settings want them: quoted, and inside formats with their signs doubled. Pure.

/** One word of a settings line, whatever it holds but line ends. */
export function quoteWord(text: string): string {
  return text
    .split("'")
    .map((part) => (part === "" ? "" : `'${part}'`))
    .join("\\'")
    .replace(/^$/, "''");
}

/** As `quoteWord`, where the proxy reads a format: percent signs stand for themselves. */
export function quoteFormat(text: string): string {
  return quoteWord(text.replaceAll("%", "%%"));
}

/** A page of several lines as one word. */
export function quotePage(text: string): string {
  return quoteWord(text.replace(/\r?\n/g, " "));
}
