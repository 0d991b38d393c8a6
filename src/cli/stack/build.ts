// davit deploy --build: images built by the docker command of this machine, with the user's own engine, logins and cache, and pushed to
// where the nodes pull them from. Nothing is deployed unless every image was built and pushed.

import { spawn } from "node:child_process";
import type { BuildSpec } from "../../compose/spec/build.ts";
import { DavitError, reasonOf } from "../../core/model/errors.ts";
import { type CliContext, note } from "../context.ts";

/** Builds and pushes when `build` is set; else says what is taken from the registry as it is there. */
export async function buildImages(
  context: CliContext,
  builds: readonly BuildSpec[],
  { build, dryRun }: { readonly build: boolean; readonly dryRun: boolean },
): Promise<void> {
  for (const spec of builds) {
    const { service, image, tags } = spec;
    if (!build) {
      note(
        context,
        `warning: ${service}: ${image} is taken from its registry as it is there; --build builds and pushes it first`,
      );
      continue;
    }
    if (dryRun) {
      note(context, `${service}: would build ${image} from ${spec.context} and push it`);
      continue;
    }
    note(context, `${service}: build ${image}`);
    await docker(context, "build", service, renderBuildArguments(spec), spec.dockerfileInline);
    for (const name of [image, ...tags]) {
      note(context, `${service}: push ${name}`);
      await docker(context, "push", service, ["push", name]);
    }
  }
}

/** The words after `docker`. An inline Dockerfile is read from standard input. Pure. */
export function renderBuildArguments(spec: BuildSpec): readonly string[] {
  const { image, tags, dockerfile, dockerfileInline, args, labels, extraHosts, cacheFrom } = spec;
  const file = dockerfileInline === undefined ? dockerfilePath(spec.context, dockerfile) : "-";
  const flag = (name: string, value: string | number | undefined): readonly string[] =>
    value === undefined ? [] : [`--${name}`, String(value)];
  return [
    "build",
    ...[image, ...tags].flatMap((tag) => ["--tag", tag]),
    ...flag("file", file),
    ...Object.entries(args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
    ...Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]),
    ...extraHosts.flatMap((host) => ["--add-host", host]),
    ...cacheFrom.flatMap((name) => ["--cache-from", name]),
    ...flag("target", spec.target),
    ...flag("network", spec.network),
    ...flag("platform", spec.platform),
    ...flag("shm-size", spec.shmSizeBytes),
    ...(spec.noCache ? ["--no-cache"] : []),
    ...(spec.pull ? ["--pull"] : []),
    spec.context,
  ];
}

/** The docker command takes the file's path from where it runs, Compose from the context. */
function dockerfilePath(context: string, dockerfile: string | undefined): string | undefined {
  if (dockerfile === undefined || dockerfile.startsWith("/") || !context.startsWith("/")) return dockerfile;
  return `${context}/${dockerfile}`;
}

/** Runs docker with its output on standard error: standard output is the plan's. Rejects with `engine_failed` unless it ends with 0. */
function docker(
  context: CliContext,
  what: string,
  service: string,
  argv: readonly string[],
  input?: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, wayOut: string): void =>
      reject(new DavitError("engine_failed", `${what} ${service}: ${reason}; nothing was deployed`, { wayOut }));
    const child = spawn("docker", [...argv], {
      cwd: context.cwd,
      env: Object.fromEntries(Object.entries(context.env)),
      stdio: [input === undefined ? "ignore" : "pipe", 2, 2],
    });
    child.on("error", (error) => {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      fail(
        isMissing ? "there is no docker command here" : reasonOf(error),
        isMissing
          ? "install the docker command, or build and push the image elsewhere and leave --build out"
          : "see the error above",
      );
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else
        fail(
          `docker ${argv[0] ?? ""} ended with ${code === null ? `signal ${signal}` : `code ${code}`}`,
          "its output is above",
        );
    });
    // a docker that ended early has said why by its exit code
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
