// Lines at the bottom of a terminal that are redrawn in place; what is printed meanwhile scrolls past above them.

import { cut } from "./table.ts";

export type LiveInput = {
  readonly write: (text: string) => void;
  readonly size: () => { readonly columns: number; readonly rows: number };
};

export class LiveLines {
  readonly #input: LiveInput;
  #lines: readonly string[] = [];
  #drawn = 0;

  constructor(input: LiveInput) {
    this.#input = input;
  }

  /** Replaces the lines. More than the terminal has room for are summed up in the last one. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.#draw("");
  }

  /** Prints a line that stays, above the live ones, which may change at the same time. */
  print(line: string, lines: readonly string[] = this.#lines): void {
    this.#lines = lines;
    this.#draw(`${line}\n`);
  }

  /** Takes the live lines away. */
  clear(): void {
    this.show([]);
  }

  #draw(above: string): void {
    const { columns, rows } = this.#input.size();
    const room = Math.max(1, rows - 1);
    const lines = this.#lines.slice(0, this.#lines.length > room ? room - 1 : room);
    if (lines.length < this.#lines.length) lines.push(`… and ${this.#lines.length - lines.length} more lines`);
    const up = this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A\u001b[0J`;
    this.#drawn = lines.length;
    const text = `${up}${above}${lines.map((line) => `${cut(line, columns - 1)}\n`).join("")}`;
    if (text !== "") this.#input.write(text);
  }
}
