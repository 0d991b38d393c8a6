// The small languages inside Compose values: durations, sizes, port ranges, shell words. Each gives undefined for what it cannot read. Pure.

const DURATION_UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const BYTE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1024 ** 4,
};

/** "1m30s", "500ms", "0": milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount = "0", unit = "s"] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g))
    total += Number(amount) * (DURATION_UNITS[unit] ?? 0);
  return total;
}

/** "512m", "1gb", "1024": bytes. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = BYTE_UNITS[(match?.[2] ?? "").toLowerCase() || "b"];
  return match === null || factor === undefined ? undefined : Math.round(Number(match[1]) * factor);
}

export type PortRange = { readonly from: number; readonly to: number };

/** "80" or "8080-8089", each 1–65535, in order. */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from >= 1 && to <= 65_535 && from <= to ? { from, to } : undefined;
}

/** A command line as a shell would cut it: quotes and backslashes, nothing else. Undefined when a quote never ends. */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (
      quote === "'"
        ? char !== "'"
        : char === "\\" && at + 1 < text.length && (quote === "" || /["\\$`]/.test(text[at + 1] ?? ""))
    ) {
      word = (word ?? "") + (quote === "'" ? char : (text[++at] ?? ""));
    } else if (quote !== "" && char === quote) {
      quote = "";
    } else if (quote === "" && (char === '"' || char === "'")) {
      quote = char;
      word ??= "";
    } else if (quote === "" && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== "") return undefined;
  return word === undefined ? words : [...words, word];
}
