// Times as the API shows them. Pure.

/** ISO 8601 in UTC with milliseconds. */
export function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** `{ [name]: … }`, or nothing where the value is absent: views have no empty fields. */
export function maybe<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}
