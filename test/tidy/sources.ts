// The files of the project that a person wrote, as paths from its root with their text.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");
const NOT_OURS = new Set(["node_modules", ".git", "dist", "coverage"]);
const TEXT = /\.(ts|mjs|sh|py|sql|md|json|ya?ml|cgi)$|(^|\/)(lab[a-z-]*|serve|run|LICENSE|\.npmrc|\.gitignore)$/;

export type Source = { readonly path: string; readonly text: string };

/** All text files of the project, or those whose path fits. */
export function sources(fits: (path: string) => boolean = () => true): readonly Source[] {
  return walk(ROOT)
    .map((path) => relative(ROOT, path))
    .filter((path) => TEXT.test(path) && fits(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

function walk(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.has(name))
    .flatMap((entry) => (entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

/** TypeScript that people wrote; declarations of other tools' files apart. */
export function isCode(path: string): boolean {
  return /^(src|workers|test|scripts|bench)\/.*\.ts$/.test(path) && !path.endsWith(".d.ts");
}
