// Streams of JSON texts, one per line, as the engine sends events and pull progress.

/** A line longer than this is not from an engine that we know. */
const MAX_LINE_CHARS = 4 * 1024 * 1024;

/** Each line's value, as it comes. Throws on a line that is not JSON. */
export async function* readJsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    for (let end = rest.indexOf("\n"); end !== -1; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line !== "") yield JSON.parse(line);
    }
    if (rest.length > MAX_LINE_CHARS) throw new RangeError("a line of the engine's stream is too long");
  }
  if (rest.trim() !== "") yield JSON.parse(rest);
}
