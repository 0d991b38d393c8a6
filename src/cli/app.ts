// The tree of commands.

import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import { DavitError } from "../core/model/errors.ts";
import type { CliContext } from "./context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { nodeAdd } from "./node/add.ts";
import { nodeActivate, nodeDrain, nodePause } from "./node/availability.ts";
import { nodeConfirmDead } from "./node/confirm-dead.ts";
import { nodeInspect } from "./node/inspect.ts";
import { nodeLabel } from "./node/label.ts";
import { nodeLs } from "./node/ls.ts";
import { nodeRm } from "./node/rm.ts";
import { nodeUpdate } from "./node/update.ts";
import { registryLogin, registryLogout, registryLs } from "./registry/verbs.ts";
import { renderError } from "./render/error.ts";
import { serviceExec } from "./service/exec.ts";
import { serviceInspect } from "./service/inspect.ts";
import { serviceLogs } from "./service/logs.ts";
import { serviceLs } from "./service/ls.ts";
import { servicePs } from "./service/ps.ts";
import { serviceRm } from "./service/rm.ts";
import { serviceRollback } from "./service/rollback.ts";
import { serviceScale } from "./service/scale.ts";
import { serviceUpdate } from "./service/update.ts";
import { stackConfig } from "./stack/config.ts";
import { deploy } from "./stack/deploy.ts";
import { stackLs } from "./stack/ls.ts";
import { stackPs } from "./stack/ps.ts";
import { stackRm } from "./stack/rm.ts";
import { completion } from "./system/completion.ts";
import { events } from "./system/events.ts";
import { install } from "./system/install.ts";
import { ps } from "./system/ps.ts";
import { up } from "./system/up.ts";
import { version } from "./system/version.ts";
import { tokenCreate, tokenLs, tokenRevoke } from "./token/verbs.ts";

/** Nouns and their verbs; completion is made from the same. */
export const NOUNS = {
  node: {
    brief: "hosts: join, look at, empty, remove",
    verbs: {
      add: nodeAdd,
      ls: nodeLs,
      inspect: nodeInspect,
      label: nodeLabel,
      pause: nodePause,
      drain: nodeDrain,
      activate: nodeActivate,
      update: nodeUpdate,
      confirmDead: nodeConfirmDead,
      rm: nodeRm,
    },
  },
  stack: { brief: "what Compose files made", verbs: { ls: stackLs, ps: stackPs, rm: stackRm, config: stackConfig } },
  service: {
    brief: "services: look at, change, go back",
    verbs: {
      ls: serviceLs,
      ps: servicePs,
      inspect: serviceInspect,
      logs: serviceLogs,
      scale: serviceScale,
      update: serviceUpdate,
      rollback: serviceRollback,
      exec: serviceExec,
      rm: serviceRm,
    },
  },
  registry: {
    brief: "credentials for private images",
    verbs: { login: registryLogin, ls: registryLs, logout: registryLogout },
  },
  token: { brief: "access for users over HTTP", verbs: { create: tokenCreate, ls: tokenLs, revoke: tokenRevoke } },
} as const;

/** Commands without a noun. */
export const VERBS = { up, deploy, ps, events, install, completion, version } as const;

export function buildCli(withStack: boolean) {
  const nouns = Object.fromEntries(
    Object.entries(NOUNS).map(([noun, { brief, verbs }]) => [
      noun,
      buildRouteMap<string, CliContext>({
        routes: verbs,
        docs: { brief },
      }),
    ]),
  );
  const root = buildRouteMap({
    routes: { ...VERBS, ...nouns },
    docs: {
      brief: "runs containers on a few Linux hosts",
      fullDescription:
        "davit runs containers on a few Linux hosts, driven over SSH by one coordinator.\n\nStart with: davit up; davit node add root@HOST; davit deploy -f compose.yaml\n\n--host (or DAVIT_HOST) names another coordinator: a socket's path, ssh://user@host, https://host with DAVIT_TOKEN.",
    },
  });
  return buildApplication<CliContext>(root, {
    name: "davit",
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
    determineExitCode: (error) => (error instanceof DavitError ? exitCodeOf(error.code) : EXIT.failed),
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: (error) => renderError(error, withStack),
        exceptionWhileParsingArguments: (error) => `davit: ${messageOf(error)}`,
        noCommandRegisteredForInput: ({ input, corrections }) =>
          `davit: there is no command '${input}'${corrections.length === 0 ? "" : `; did you mean ${corrections.join(" or ")}?`}\n  way out: davit --help lists them`,
      },
    },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
