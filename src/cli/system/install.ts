// davit install: the coordinator as a systemd unit of this machine, started at boot.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { buildCommand } from "@stricli/core";
import { DavitError, reasonOf } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";

const BINARY = "/usr/local/bin/davit";
const UNIT = "/etc/systemd/system/davit.service";

type Flags = { readonly dataDir: string; readonly listen: string };

export const install = buildCommand<Flags, [], CliContext>({
  docs: { brief: "run the coordinator as a systemd unit of this machine (as root)" },
  parameters: {
    flags: {
      dataDir: {
        kind: "parsed",
        parse: String,
        brief: "state, keys and socket",
        default: "/var/lib/davit-coordinator",
        placeholder: "DIR",
      },
      listen: {
        kind: "parsed",
        parse: String,
        brief: "address of the HTTP API, or off",
        default: "127.0.0.1:7373",
        placeholder: "HOST:PORT",
      },
    },
  },
  func: installUnit,
});

function installUnit(this: CliContext, flags: Flags): void {
  if (process.getuid?.() !== 0)
    throw new DavitError("forbidden", "install: it needs root", { wayOut: "sudo davit install" });
  if (!existsSync("/run/systemd/system"))
    throw new DavitError("not_supported", "install: systemd does not run here", {
      wayOut: "start davit up by whatever starts services here",
    });
  if (/\s/.test(flags.dataDir) || !flags.dataDir.startsWith("/"))
    throw new DavitError("invalid_input", `install: '${flags.dataDir}' must be an absolute path without spaces`);
  if (!import.meta.url.startsWith("file:///$bunfs/"))
    throw new DavitError("not_supported", "install: this is not the built binary", {
      wayOut: "npm run build, then dist/davit-linux-… install",
    });
  if (process.execPath !== BINARY) {
    copyFileSync(process.execPath, `${BINARY}.new`);
    chmodSync(`${BINARY}.new`, 0o755);
    renameSync(`${BINARY}.new`, BINARY);
    say(this, `installed ${BINARY}`);
  }
  mkdirSync(flags.dataDir, { recursive: true, mode: 0o700 });
  const unit = renderUnit(flags);
  const isCurrent = existsSync(UNIT) && readFileSync(UNIT, "utf8") === unit;
  if (!isCurrent) writeFileSync(UNIT, unit, { mode: 0o644 });
  systemctl("daemon-reload");
  systemctl("enable", "davit.service");
  systemctl("restart", "davit.service");
  say(
    this,
    `${isCurrent ? "unit is current" : `wrote ${UNIT}`}; the coordinator runs and starts at boot (journalctl -u davit)`,
  );
  say(
    this,
    `on this machine: davit --host ${flags.dataDir}/davit.sock node ls; from elsewhere: DAVIT_HOST=ssh://root@this-host${flags.dataDir}/davit.sock`,
  );
}

/** The unit's text. */
export function renderUnit(flags: Flags): string {
  return `[Unit]
Description=davit coordinator
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=${BINARY} up --data-dir ${flags.dataDir} --listen ${flags.listen}
Restart=always
RestartSec=1
TimeoutStopSec=20
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`;
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
