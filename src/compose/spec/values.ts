// The small languages inside Compose values: durations, sizes, port ranges, shell words. Each gives undefined for what it cannot read. Pure.

const DURATION_UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** Powers of 1024. */
const BYTE_UNITS: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** "1m30s", "500ms", "0": milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount = "0", unit = "s"] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g))
    total += Number(amount) * (DURATION_UNITS[unit] ?? 0);
  return total;
}

/** "512m", "1gb", "1.5GiB", "1024": bytes. Undefined also for more than a number can hold. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * 1024 ** (BYTE_UNITS[(match[2] ?? "").toLowerCase()] ?? 0));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
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

const IMAGE =
  /^(?:(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-f]{32,})?$/i;

/** A reference to an image: registry, path, tag, digest; only the registry, the tag and the digest may have capitals. */
export function isImageName(text: string): boolean {
  if (text.length > 1_024 || !IMAGE.test(text)) return false;
  const [name = ""] = text.split("@");
  const path = /^[^/]*[.:][^/]*\/|^localhost\//i.test(name) ? name.slice(name.indexOf("/") + 1) : name;
  const [untagged = ""] = path.split(":");
  return untagged === untagged.toLowerCase();
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
