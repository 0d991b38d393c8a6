// Texts that come from containers and hosts, made safe for a terminal. Pure.

/** The text without escape sequences and control characters; line breaks and tabs stay. */
export function clean(text: string): string {
  return Bun.stripANSI(text).replaceAll(/[^\P{Cc}\n\t]/gu, "");
}
