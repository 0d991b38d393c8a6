// How a process of the measurement is told what to do: a line of JSON for each command, a line for each answer. It ends when its input does.

import { createInterface } from "node:readline";

/** Obeys the commands of the input, and says that it is ready. */
export function obeyLines(obey: (command: unknown) => Promise<unknown>): void {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, command } = JSON.parse(line) as { readonly id: number; readonly command: unknown };
    void obey(command).then((answer) => console.log(JSON.stringify({ id, answer })));
  });
  process.stdin.on("end", () => process.exit(0));
}
