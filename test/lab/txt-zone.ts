// A DNS zone of TXT records as files, its server, and the program that puts records into it, as a user would write it for their provider.

import { createSocket } from "node:dgram";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode, encode } from "dns-packet";
import type { Lab } from "./lab.ts";

const DNS_PORT = 53;
/** AA: the server speaks for the zone. */
const AUTHORITATIVE = 1 << 10;

export type TxtZone = {
  /** For --acme-dns-hook. */
  readonly hook: string;
  /** Answers from now on, at port 53 of the lab's gateway, which every host of it reaches. */
  readonly serve: () => Promise<void>;
  /** What the hook was called with, in order: "present NAME VALUE". */
  readonly calls: () => readonly string[];
  /** From now on the hook fails with this text, or works again. */
  readonly fail: (text: string | undefined) => void;
  readonly close: () => void;
};

export function openTxtZone(lab: Lab): TxtZone {
  const folder = mkdtempSync(join(lab.directory, "zone-"));
  const records = join(folder, "records");
  const calls = join(folder, "calls");
  const failure = join(folder, "failure");
  const hook = join(folder, "hook");
  mkdirSync(records);
  const script = `#!/bin/sh
echo "$*" >> '${calls}'
[ ! -f '${failure}' ] || { cat '${failure}'; exit 7; }
case $1 in
  present) echo "$3" >> '${records}'/"$2" ;;
  cleanup) rm -f '${records}'/"$2" ;;
esac
`;
  writeFileSync(hook, script, { mode: 0o755 });
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const { id, questions = [] } = decode(bytes);
    const [question] = questions;
    const values = question?.type === "TXT" ? readLines(join(records, question.name.toLowerCase())) : [];
    const answers = values.map((data) => ({ type: "TXT" as const, name: question?.name ?? "", ttl: 0, data }));
    socket.send(encode({ type: "response", id, flags: AUTHORITATIVE, questions, answers }), from.port, from.address);
  });
  return {
    hook,
    serve: () =>
      new Promise((resolve, reject) => {
        socket.once("error", reject);
        socket.bind(DNS_PORT, lab.gateway, resolve);
      }),
    calls: () => readLines(calls),
    fail: (text) => (text === undefined ? rmSync(failure, { force: true }) : writeFileSync(failure, `${text}\n`)),
    close: () => {
      socket.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n");
  } catch {
    return [];
  }
}
