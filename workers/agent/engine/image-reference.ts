// Names of images: the registry they come from, and name and tag as the engine's pull wants them. Pure.

/** "docker.io" for short names, as the docker command does. */
export function registryOf(reference: string): string {
  const [first = "", ...rest] = reference.split("/");
  return rest.length > 0 && (first.includes(".") || first.includes(":") || first === "localhost") ? first : "docker.io";
}

/** Repository, and tag or digest; "latest" when neither is given. Beside a digest a tag says nothing and is dropped. */
export function splitReference(reference: string): { readonly repository: string; readonly tag: string } {
  const at = reference.indexOf("@");
  if (at !== -1) return { ...splitReference(reference.slice(0, at)), tag: reference.slice(at + 1) };
  const colon = reference.lastIndexOf(":");
  return colon > reference.lastIndexOf("/")
    ? { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
    : { repository: reference, tag: "latest" };
}
