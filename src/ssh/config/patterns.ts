// Patterns of OpenSSH files (ssh_config(5), "PATTERNS"): `*`, `?` and a leading `!` that excludes. Pure.

/** Whether a text matches one pattern of `*` (any characters) and `?` (one). Other characters, brackets too, stand for themselves. */
export function matchesPattern(pattern: string, text: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`, "s").test(text);
}

/** Whether a text matches a list: at least one pattern, and none that starts with `!`. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  const excluded = patterns.some((pattern) => pattern.startsWith("!") && matchesPattern(pattern.slice(1), text));
  return !excluded && patterns.some((pattern) => !pattern.startsWith("!") && matchesPattern(pattern, text));
}
