// What one value has that another has not: golden files show only what a key changed.

/** The parts of `after` that differ from `before`, in the shape of `after`; what is gone is null. Undefined when nothing differs. */
export function differenceOf(before: unknown, after: unknown): unknown {
  if (!isPlain(before) || !isPlain(after))
    return JSON.stringify(before) === JSON.stringify(after) ? undefined : (after ?? null);
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const parts = keys.flatMap((key) => {
    const part = differenceOf(before[key], after[key]);
    return part === undefined ? [] : [[key, part] as const];
  });
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
