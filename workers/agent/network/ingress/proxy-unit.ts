// The proxy's own systemd unit: it is not the agent's child, so that the agent's end ends no connection, and it is back after a reboot without
// anybody. The distribution's unit of the same program is left alone.

import { rm } from "node:fs/promises";
import { DavitError } from "../../../../src/core/model/errors.ts";
import { type HostCommand, mustRun } from "../run-command.ts";
import type { IngressFiles } from "./ingress-files.ts";
import { CONFIG_FILE, type IngressPaths } from "./render-config.ts";

export const INGRESS_UNIT = "davit-ingress.service";
export const UNIT_DIRECTORY = "/etc/systemd/system";
const PROGRAM = "/usr/sbin/haproxy";
/** A start reads every certificate. */
const START_TIMEOUT_MS = 60_000;

/** Has the program read settings and say what is wrong with them; with -q it would not say. */
export function checkCommand(file: string): readonly [string, ...string[]] {
  return [PROGRAM, "-c", "-f", file];
}

/** The unit's text. When memory runs out, a container goes first; a log of requests has more lines than the journal takes of others. */
export function renderUnit({ directory, runtimeDirectory }: IngressPaths): string {
  return `[Unit]
Description=davit ingress (HAProxy)
Documentation=man:haproxy(1)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=${PROGRAM} -Ws -f ${directory}/${CONFIG_FILE} -p ${runtimeDirectory}/haproxy.pid -S ${runtimeDirectory}/master.sock,mode,600,level,admin
ExecReload=/bin/chmod 711 ${runtimeDirectory}
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Restart=always
RestartSec=1
SuccessExitStatus=143
RuntimeDirectory=${runtimeDirectory.slice("/run/".length)}
RuntimeDirectoryMode=0711
UMask=0077
LimitNOFILE=65536
LogRateLimitIntervalSec=0
OOMScoreAdjust=-800
TimeoutStopSec=15

[Install]
WantedBy=multi-user.target
`;
}

export class ProxyUnit {
  readonly #run: HostCommand;
  readonly #paths: IngressPaths;
  readonly #units: IngressFiles;

  /** `units`: where systemd looks for unit files. */
  constructor(run: HostCommand, paths: IngressPaths, units: IngressFiles) {
    this.#run = run;
    this.#paths = paths;
    this.#units = units;
  }

  /** Starts it now and at each boot. Rejects in words: the program is missing, or said why it does not start. */
  async start(): Promise<void> {
    await this.#write();
    const end = await this.#run(["systemctl", "enable", "--now", "--quiet", INGRESS_UNIT], {
      timeoutMs: START_TIMEOUT_MS,
    });
    if (end.exitCode === 0) return;
    const journal = await this.#run(["journalctl", "-u", INGRESS_UNIT, "-n", "20", "-o", "cat", "--no-pager"]);
    const said = journal.stdout.split("\n").filter((line) => line.includes("[ALERT]"));
    throw new DavitError("unavailable", `start the ingress proxy: ${said.at(-1)?.trim() ?? end.stderr.trim()}`, {
      wayOut: `see journalctl -u ${INGRESS_UNIT} on the host`,
    });
  }

  /** Makes it read its settings again; what it has goes on in the old worker. */
  async reload(): Promise<void> {
    await this.#write();
    await mustRun(this.#run, "reload the ingress proxy", ["systemctl", "reload", INGRESS_UNIT]);
  }

  /** Gives its ports back, now and at each boot. Nothing to do when it was never started. */
  async remove(): Promise<void> {
    if ((await this.#units.read(INGRESS_UNIT)) === undefined) return;
    await mustRun(this.#run, "stop the ingress proxy", ["systemctl", "disable", "--now", "--quiet", INGRESS_UNIT], {
      timeoutMs: START_TIMEOUT_MS,
    });
    await this.#units.remove(INGRESS_UNIT);
    await rm(`${UNIT_DIRECTORY}/multi-user.target.wants/${INGRESS_UNIT}`, { force: true });
    await mustRun(this.#run, "forget the ingress proxy", ["systemctl", "daemon-reload"]);
  }

  /** What is wrong with the settings in a file, as the program itself says; undefined when nothing is. */
  async check(file: string): Promise<string | undefined> {
    const end = await this.#run(checkCommand(file), { timeoutMs: START_TIMEOUT_MS });
    if (end.exitCode === 0) return undefined;
    if (end.exitCode === 127)
      throw new DavitError("unavailable", "start the ingress proxy: this host has no HAProxy", {
        wayOut: "install its package haproxy, or join the host again (davit node add), which does",
      });
    const said = `${end.stderr}${end.stdout}`.split("\n").filter((line) => !line.startsWith("[NOTICE]"));
    return said.join("\n").trim();
  }

  async #write(): Promise<void> {
    if (await this.#units.write(INGRESS_UNIT, renderUnit(this.#paths)))
      await mustRun(this.#run, "start the ingress proxy", ["systemctl", "daemon-reload"]);
  }
}
