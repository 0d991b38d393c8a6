// davit install: the coordinator as a systemd unit of this machine, started at boot. Run again, it brings binary and unit up to date.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { buildCommand } from "@stricli/core";
import { DavitError, reasonOf } from "../../core/model/errors.ts";
import { connectTo } from "../connect.ts";
import { type CliContext, pause, say } from "../context.ts";

const BINARY = "/usr/local/bin/davit";
const UNIT_NAME = "davit.service";
const UNIT = `/etc/systemd/system/${UNIT_NAME}`;
/** A coordinator that opens a large database answers within a second or two. */
const READY_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 200;

export type InstallFlags = { readonly dataDir: string; readonly listen: string };

export const install = buildCommand<InstallFlags, [], CliContext>({
  docs: {
    brief: "run the coordinator as a systemd unit of this machine (as root)",
    fullDescription:
      "Copies this binary to /usr/local/bin/davit, writes /etc/systemd/system/davit.service, enables and starts it, and waits until it answers. Running nodes and containers are not touched.",
  },
  parameters: {
    flags: {
      dataDir: {
        kind: "parsed",
        parse: parseDataDir,
        brief: "state, keys and socket",
        default: "/var/lib/davit-coordinator",
        placeholder: "DIR",
      },
      listen: {
        kind: "parsed",
        parse: parseListen,
        brief: "address of the HTTP API, or off",
        default: "127.0.0.1:7373",
        placeholder: "HOST:PORT",
      },
    },
  },
  func: installUnit,
});

async function installUnit(this: CliContext, flags: InstallFlags): Promise<void> {
  checkMachine();
  installBinary(this);
  mkdirSync(flags.dataDir, { recursive: true, mode: 0o700 });
  const unit = renderUnit(flags);
  const isCurrent = existsSync(UNIT) && readFileSync(UNIT, "utf8") === unit;
  if (!isCurrent) writeFileSync(UNIT, unit, { mode: 0o644 });
  say(this, `${isCurrent ? "found" : "wrote"} ${UNIT}`);
  systemctl("daemon-reload");
  systemctl("enable", UNIT_NAME);
  systemctl("restart", UNIT_NAME);
  const socket = `${flags.dataDir}/davit.sock`;
  await waitUntilReady(this, socket);
  say(this, "the coordinator runs, and starts at boot; its log: journalctl -u davit");
  say(this, `its data and socket are in ${flags.dataDir}, for root: sudo davit node add user@host`);
  say(this, `from another machine: DAVIT_HOST=ssh://root@HOST${socket}`);
}

function checkMachine(): void {
  if (process.getuid?.() !== 0)
    throw new DavitError("forbidden", "install: it needs root", { wayOut: "sudo davit install" });
  if (!existsSync("/run/systemd/system"))
    throw new DavitError("not_supported", "install: systemd does not run here", {
      wayOut: "let what starts services here run: davit up --data-dir DIR",
    });
  if (!import.meta.url.startsWith("file:///$bunfs/"))
    throw new DavitError("not_supported", "install: this is not the built binary", {
      wayOut: "build it (npm run build), then run dist/davit-linux-… install",
    });
}

function installBinary(context: CliContext): void {
  if (process.execPath === BINARY || hasSameContent(process.execPath, BINARY)) return say(context, `found ${BINARY}`);
  copyFileSync(process.execPath, `${BINARY}.new`);
  chmodSync(`${BINARY}.new`, 0o755);
  renameSync(`${BINARY}.new`, BINARY);
  say(context, `installed ${BINARY}`);
}

function hasSameContent(path: string, other: string): boolean {
  return existsSync(other) && readFileSync(path).equals(readFileSync(other));
}

async function waitUntilReady(context: CliContext, socket: string): Promise<void> {
  const client = await connectTo({ kind: "socket", path: socket }, context.env);
  const untilMs = context.nowMs() + READY_WITHIN_MS;
  for (;;) {
    try {
      await client.health();
      return;
    } catch (error) {
      if (context.nowMs() > untilMs)
        throw new DavitError("timeout", `install: the coordinator does not answer: ${reasonOf(error)}`, {
          wayOut: "journalctl -u davit shows why",
          cause: error,
        });
    }
    await pause(context, LOOK_EVERY_MS);
  }
}

/** The unit's text. Pure. */
export function renderUnit({ dataDir, listen }: InstallFlags): string {
  return `[Unit]
Description=davit coordinator
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=${BINARY} up --data-dir ${dataDir} --listen ${listen}
Restart=always
RestartSec=1
TimeoutStopSec=20
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`;
}

/** What is written into a unit must not mean anything to systemd. */
function parseDataDir(text: string): string {
  if (!/^\/[\w./+-]+$/.test(text))
    throw new DavitError("invalid_input", `'${text}' is not an absolute path of letters, digits and ._+-`);
  return text.replace(/\/$/, "");
}

function parseListen(text: string): string {
  if (text !== "off" && !/^(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}$/.test(text))
    throw new DavitError("invalid_input", `'${text}' is not HOST:PORT, nor off`);
  return text;
}

function systemctl(...words: string[]): void {
  try {
    execFileSync("systemctl", words, { stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new DavitError("internal", `systemctl ${words.join(" ")}: ${reasonOf(error)}`, {
      wayOut: "journalctl -u davit shows why",
      cause: error,
    });
  }
}
