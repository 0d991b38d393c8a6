// Which route or certificate makes the proxy refuse its settings: it is left out, with the reason, so that the others go on. Pure.

export type Blame =
  | { readonly kind: "backend"; readonly name: string; readonly reason: string }
  | { readonly kind: "certificate"; readonly file: string; readonly reason: string };

/** From what `haproxy -c` said about a text; undefined when it is about no part of it alone. */
export function blameFor(said: string, config: string, certificateFiles: readonly string[]): Blame | undefined {
  const alerts = said.split("\n").filter((line) => line.includes("[ALERT]") || line.includes("error"));
  for (const line of alerts) {
    const reason = line.replace(/^\[ALERT\]\s*(\(\d+\)\s*:)?\s*/, "").trim();
    const file = certificateFiles.find((each) => line.includes(each));
    if (file !== undefined) return { kind: "certificate", file, reason };
    const at = /:(\d+)\]/.exec(line)?.[1];
    const name = at === undefined ? /(?:backend|proxy) '([^']+)'/.exec(line)?.[1] : sectionAt(config, Number(at));
    if (name !== undefined) return { kind: "backend", name, reason };
  }
  return undefined;
}

/** The backend that a line, counted from 1, belongs to; its user list counts as part of it. */
function sectionAt(config: string, line: number): string | undefined {
  const above = config.split("\n").slice(0, line).toReversed();
  for (const text of above) {
    const found = /^(?:backend |userlist users-)(\S+)/.exec(text)?.[1];
    if (found !== undefined) return found;
    if (/^(frontend|global|defaults)\b/.test(text)) return undefined;
  }
  return undefined;
}
