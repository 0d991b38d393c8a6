// The tree of commands, and what is said when the words fit none of them.

import {
  type Application,
  ArgumentParseError,
  buildApplication,
  buildRouteMap,
  type Command,
  text_en,
} from "@stricli/core";
import packageJson from "../../package.json" with { type: "json" };
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { certificateAdd } from "./certificate/add.ts";
import { certificateAuthority } from "./certificate/authority.ts";
import { certificateLs } from "./certificate/ls.ts";
import { certificateRenew } from "./certificate/renew.ts";
import { certificateRm } from "./certificate/rm.ts";
import type { CliContext } from "./context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { ingressLog } from "./ingress/log.ts";
import { ingressLs } from "./ingress/ls.ts";
import { ingressStats } from "./ingress/stats.ts";
import { jobHistory } from "./job/history.ts";
import { jobLogs } from "./job/logs.ts";
import { jobLs } from "./job/ls.ts";
import { jobRun } from "./job/run.ts";
import { jobResume, jobSuspend } from "./job/suspend.ts";
import { nodeActivate } from "./node/activate.ts";
import { nodeAdd } from "./node/add.ts";
import { nodeCheck } from "./node/check.ts";
import { nodeConfirmDead } from "./node/confirm-dead.ts";
import { nodeDrain } from "./node/drain.ts";
import { nodeInspect } from "./node/inspect.ts";
import { nodeLabel } from "./node/label.ts";
import { nodeLs } from "./node/ls.ts";
import { nodePause } from "./node/pause.ts";
import { nodeRm } from "./node/rm.ts";
import { nodeUpdate } from "./node/update.ts";
import { registryLogin } from "./registry/login.ts";
import { registryLogout } from "./registry/logout.ts";
import { registryLs } from "./registry/ls.ts";
import { renderError, renderErrorAsJson } from "./render/error.ts";
import { rolloutAbort, rolloutPause, rolloutPromote, rolloutResume } from "./rollout/change.ts";
import { rolloutHistory } from "./rollout/history.ts";
import { rolloutLs } from "./rollout/ls.ts";
import { serviceExec } from "./service/exec.ts";
import { serviceExplain } from "./service/explain.ts";
import { serviceInspect } from "./service/inspect.ts";
import { serviceLogs } from "./service/logs.ts";
import { serviceLs } from "./service/ls.ts";
import { serviceMaintenance } from "./service/maintenance.ts";
import { servicePs } from "./service/ps.ts";
import { serviceRestart } from "./service/restart.ts";
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
import { exportStack } from "./system/export.ts";
import { install } from "./system/install.ts";
import { lookup } from "./system/lookup.ts";
import { ps } from "./system/ps.ts";
import { rebalance } from "./system/rebalance.ts";
import { up } from "./system/up.ts";
import { version } from "./system/version.ts";
import { tokenCreate } from "./token/create.ts";
import { tokenLs } from "./token/ls.ts";
import { tokenRevoke } from "./token/revoke.ts";

type Routes = Readonly<Record<string, Command<CliContext>>>;

const NODE: Routes = {
  add: nodeAdd,
  ls: nodeLs,
  inspect: nodeInspect,
  check: nodeCheck,
  label: nodeLabel,
  pause: nodePause,
  drain: nodeDrain,
  activate: nodeActivate,
  update: nodeUpdate,
  confirmDead: nodeConfirmDead,
  rm: nodeRm,
};
const STACK: Routes = { ls: stackLs, ps: stackPs, rm: stackRm, config: stackConfig };
const SERVICE: Routes = {
  ls: serviceLs,
  ps: servicePs,
  inspect: serviceInspect,
  logs: serviceLogs,
  scale: serviceScale,
  update: serviceUpdate,
  rollback: serviceRollback,
  restart: serviceRestart,
  explain: serviceExplain,
  maintenance: serviceMaintenance,
  exec: serviceExec,
  rm: serviceRm,
};
const ROLLOUT: Routes = {
  ls: rolloutLs,
  pause: rolloutPause,
  resume: rolloutResume,
  abort: rolloutAbort,
  promote: rolloutPromote,
  history: rolloutHistory,
};
const JOB: Routes = {
  ls: jobLs,
  run: jobRun,
  history: jobHistory,
  logs: jobLogs,
  suspend: jobSuspend,
  resume: jobResume,
};
const INGRESS: Routes = { ls: ingressLs, stats: ingressStats, log: ingressLog };
const CERTIFICATE: Routes = {
  ls: certificateLs,
  add: certificateAdd,
  renew: certificateRenew,
  rm: certificateRm,
  authority: certificateAuthority,
};
const REGISTRY: Routes = { login: registryLogin, ls: registryLs, logout: registryLogout };
const TOKEN: Routes = { create: tokenCreate, ls: tokenLs, revoke: tokenRevoke };

export type AppOptions = {
  /** Errors show where in the code they come from. */
  readonly withStack: boolean;
  /** Errors are printed as JSON. */
  readonly asJson: boolean;
};

export function buildCli({ withStack, asJson }: AppOptions): Application<CliContext> {
  const render = (error: unknown): string => (asJson ? renderErrorAsJson(error) : renderError(error, withStack));
  return buildApplication<CliContext>(rootRoutes(), {
    name: "davit",
    versionInfo: { currentVersion: packageJson.version },
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
    determineExitCode: (error) => (error instanceof DavitError ? exitCodeOf(error.code) : EXIT.failed),
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: render,
        exceptionWhileParsingArguments: (error) => render(badArguments(error)),
        noCommandRegisteredForInput: ({ input, corrections }) => render(unknownCommand(input, corrections)),
      },
    },
  });
}

function rootRoutes() {
  const noun = (brief: string, routes: Routes) => buildRouteMap<string, CliContext>({ routes, docs: { brief } });
  return buildRouteMap({
    routes: {
      up,
      install,
      deploy,
      ps,
      lookup,
      node: noun("hosts: join, look at, empty, remove", NODE),
      stack: noun("what Compose files made", STACK),
      service: noun("services: look at, change, go back", SERVICE),
      rollout: noun("changes of services: follow, pause, promote, give up", ROLLOUT),
      job: noun("services that end: run, look back, suspend", JOB),
      ingress: noun("hosts and paths that lead to services", INGRESS),
      certificate: noun("what host names are served with over HTTPS", CERTIFICATE),
      registry: noun("credentials for private images", REGISTRY),
      token: noun("access for users over HTTP", TOKEN),
      rebalance,
      export: exportStack,
      events,
      version,
      completion,
    },
    docs: {
      brief: "runs containers on a few Linux hosts",
      fullDescription: [
        "davit runs containers on a few Linux hosts, driven over SSH by one coordinator.",
        "",
        "To begin: davit up; davit node add root@HOST; davit deploy -f compose.yaml",
        "",
        "--host or DAVIT_HOST names a coordinator elsewhere: a socket's path, ssh://user@host, or https://host with DAVIT_TOKEN.",
      ].join("\n"),
    },
  });
}

/** stricli's own words, and where the right ones are. */
function badArguments(error: unknown): DavitError {
  if (error instanceof ArgumentParseError && error.exception instanceof DavitError) return error.exception;
  const message = reasonOf(error)
    .replace(/^No (flag|alias) registered for (-*\S+)/, "there is no flag $2")
    .replaceAll(/--[a-z]+[A-Z]\w*/g, (flag) => flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  const wayOut = /encountered "[^"]*\.ya?ml"/.test(message)
    ? "name Compose files with -f"
    : "add --help to see what it takes";
  return new DavitError("invalid_input", `read arguments: ${message}`, { wayOut });
}

function unknownCommand(input: string, corrections: readonly string[]): DavitError {
  const nearest = corrections.length === 0 ? "" : `; did you mean ${corrections.join(" or ")}?`;
  return new DavitError("invalid_input", `there is no command '${input}'${nearest}`, {
    wayOut: "davit --help lists them",
  });
}
