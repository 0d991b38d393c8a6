// What the loader asks of a disk. Everything else in this room works on texts.

/** What is at a path. `isExecutable`: anyone may run it. */
export type FileContent =
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly isExecutable: boolean }
  | { readonly kind: "directory" }
  | { readonly kind: "missing" }
  /** Not read, because it is larger than MAX_FILE_BYTES. */
  | { readonly kind: "large"; readonly size: number }
  /** It is there, but cannot be read: no permission, no regular file. */
  | { readonly kind: "failed"; readonly reason: string };

/** Reads an absolute path, following links. Never throws. */
export type ReadFile = (path: string) => FileContent;

/** The text of a file, or what is wrong with it as the end of a sentence that begins with its name. */
export function textOfFile(content: FileContent): { readonly text: string } | { readonly fault: string } {
  switch (content.kind) {
    case "file":
      try {
        return { text: new TextDecoder("utf-8", { fatal: true }).decode(content.bytes) };
      } catch {
        return { fault: "is not valid UTF-8" };
      }
    case "directory":
      return { fault: "is a directory" };
    case "missing":
      return { fault: "is not there" };
    case "large":
      return { fault: `is too large (${content.size} bytes)` };
    case "failed":
      return { fault: `cannot be read: ${content.reason}` };
  }
}
