// Log lines to standard error behind the Log port, by LogTape: "2026-01-02T03:04:05Z info sessions node=n1 opened".

import { configureSync, getLogger, type Logger, type LogRecord } from "@logtape/logtape";
import type { Log, LogFields } from "../ports/log.ts";

export type LogLevel = "debug" | "info" | "warning" | "error";

/** Sends all lines to standard error from `level` up. Call once, at the composition root. */
export function configureLog(level: LogLevel): void {
  configureSync({
    reset: true,
    sinks: { stderr: (record: LogRecord) => process.stderr.write(renderLine(record)) },
    loggers: [
      { category: ["davit"], lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
}

/** A log for one part of the program. */
export function createLog(name: string): Log {
  return wrap(getLogger(["davit", name]));
}

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(escape(message), plain(fields)),
    info: (message, fields) => logger.info(escape(message), plain(fields)),
    warn: (message, fields) => logger.warn(escape(message), plain(fields)),
    error: (message, fields) => logger.error(escape(message), plain(fields)),
    with: (fields) => wrap(logger.with(plain(fields))),
  };
}

/** LogTape fills {name} in messages; ours are plain texts. */
function escape(message: string): string {
  return message.replaceAll("{", "{{").replaceAll("}", "}}");
}

function plain(fields: LogFields | undefined): Record<string, unknown> {
  return { ...fields };
}

function renderLine(record: LogRecord): string {
  const fields = Object.entries(record.properties)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === "string" && /[\s"]/.test(value) ? JSON.stringify(value) : String(value)}`,
    );
  const time = new Date(record.timestamp).toISOString();
  const words = [
    time,
    record.level,
    record.category.slice(1).join("."),
    record.message.map(String).join(""),
    ...fields,
  ];
  return `${words.join(" ").replaceAll("\n", "\\n")}\n`;
}
