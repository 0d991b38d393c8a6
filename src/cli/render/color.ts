// Colours, by what they say. Pure.

import { styleText } from "node:util";

export type Tone = "good" | "bad" | "busy" | "quiet";
export type Paint = (tone: Tone, text: string) => string;

const COLORS = { good: "green", bad: "red", busy: "yellow", quiet: "gray" } as const;

/** Leaves texts as they are. */
export function plain(_tone: Tone, text: string): string {
  return text;
}

/** Colours texts, or not. */
export function paintFor(hasColor: boolean): Paint {
  return hasColor ? (tone, text) => styleText(COLORS[tone], text, { validateStream: false }) : plain;
}
