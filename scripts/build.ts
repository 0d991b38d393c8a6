// Builds dist/: davit for Linux on x64 (baseline: no AVX2 needed) and arm64, its command line for macOS, and SHA256SUMS.
// A target whose inputs are those of its last build is left as it is. Bun fetches the runtimes of other platforms from the npm
// registry into its own cache, outside the lockfile: their hashes are pinned here, in bun-runtimes.json.
// Usage: bun scripts/build.ts [--target linux-x64]… [--out DIR]

import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pinned from "./bun-runtimes.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "..");
/** The store's Worker is an entry point of its own: src/store/open.ts starts it by this path inside the binary. */
const ENTRIES = ["src/main.ts", "workers/store/main.ts"];
const INPUT_FOLDERS = ["src", "workers", "migrations"];
const INPUT_FILES = [
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "scripts/build.ts",
  "scripts/bun-runtimes.json",
];

type Target = { readonly name: string; readonly bunTarget: string; readonly runtime: string };

const TARGETS: readonly Target[] = [
  { name: "linux-x64", bunTarget: "bun-linux-x64-baseline", runtime: "bun-linux-x64-baseline" },
  { name: "linux-arm64", bunTarget: "bun-linux-arm64", runtime: "bun-linux-aarch64" },
  { name: "darwin-arm64", bunTarget: "bun-darwin-arm64", runtime: "bun-darwin-aarch64" },
  { name: "darwin-x64", bunTarget: "bun-darwin-x64", runtime: "bun-darwin-x64" },
];

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { target: { type: "string", multiple: true }, out: { type: "string" } } });
  const wanted = values.target ?? TARGETS.map(({ name }) => name);
  const unknown = wanted.filter((name) => !TARGETS.some((target) => target.name === name));
  if (unknown.length > 0) {
    console.error(`build: no target ${unknown.join(", ")}; there are ${TARGETS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const out = values.out ?? join(ROOT, "dist");
  await mkdir(out, { recursive: true });
  const inputs = await inputsHash();
  const failed: string[] = [];
  for (const target of TARGETS.filter(({ name }) => wanted.includes(name))) {
    const problem = await build(target, out, inputs);
    if (problem === undefined) continue;
    failed.push(target.name);
    console.error(`build: ${target.name}: ${problem}`);
  }
  await writeSums(out);
  if (failed.length > 0) console.error(`build: not built: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

/** Builds one target; says why it could not. */
async function build(target: Target, out: string, inputs: string): Promise<string | undefined> {
  const path = join(out, `davit-${target.name}`);
  const stamp = join(out, `.davit-${target.name}.inputs`);
  if (existsSync(path) && (await textOf(stamp)) === `${inputs} ${await hashOf(path)}`) {
    console.log(`build: ${target.name} is current`);
    return undefined;
  }
  const started = performance.now();
  // a folder of its own, because Bun leaves source maps beside the binary that holds them already
  const scratch = await mkdtemp(join(out, ".build-"));
  try {
    const problem = await compile(target, join(scratch, "davit"));
    if (problem !== undefined) return problem;
    await rename(join(scratch, "davit"), path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  await writeFile(stamp, `${inputs} ${await hashOf(path)}`);
  console.log(`build: ${target.name} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return undefined;
}

/** Compiles to a path; says why it could not, or why the result must not be used. */
async function compile(target: Target, unfinished: string): Promise<string | undefined> {
  // ssh2 works without its native parts, which are not built: it catches their absence
  const external = ["--external", "cpu-features"];
  // each role loads its own chunks only; bytecode is for machines like this one, others parse the source
  const isOwnKind = target.name === `${process.platform}-${process.arch}`;
  const speed = ["--splitting", ...(isOwnKind ? ["--bytecode", "--format=esm"] : [])];
  const argv = ["build", "--compile", "--minify", "--sourcemap", ...speed, `--target=${target.bunTarget}`, ...external];
  const child = Bun.spawnSync([process.execPath, ...argv, ...ENTRIES, "--outfile", unfinished], { cwd: ROOT });
  if (child.exitCode !== 0 || !existsSync(unfinished)) {
    const said = `${child.stderr.toString()}${child.stdout.toString()}`.trim();
    return existsSync(runtimePath(target))
      ? said
      : `its runtime (${runtimeName(target)}) could not be fetched from the npm registry: ${said}`;
  }
  await chmod(unfinished, 0o755);
  return await checkRuntime(target);
}

function runtimeName(target: Target): string {
  return `${target.runtime}-v${pinned.version}`;
}

function runtimePath(target: Target): string {
  const cache =
    process.env["BUN_INSTALL_CACHE_DIR"] ??
    join(process.env["BUN_INSTALL"] ?? join(homedir(), ".bun"), "install", "cache");
  return join(cache, runtimeName(target));
}

/** What goes wrong with the runtime that Bun put into its cache. Absent when Bun compiled with its own executable. */
async function checkRuntime(target: Target): Promise<string | undefined> {
  if (Bun.version !== pinned.version)
    return `Bun ${Bun.version} runs, hashes are pinned for ${pinned.version}: run npm ci, or pin anew`;
  const path = runtimePath(target);
  if (!existsSync(path)) return undefined;
  const runtimes: Readonly<Record<string, string>> = pinned.sha256;
  const expected = runtimes[target.runtime];
  const actual = await hashOf(path);
  if (actual === expected) return undefined;
  return `${path} has the hash ${actual}, expected ${expected ?? "none: it is not pinned"}; delete it and build again`;
}

async function inputsHash(): Promise<string> {
  const hash = createHash("sha256");
  const files = [...INPUT_FILES];
  for (const folder of INPUT_FOLDERS) {
    const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries)
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name).slice(ROOT.length + 1));
  }
  for (const file of files.sort())
    hash
      .update(`${file}\0`)
      .update(await readFile(join(ROOT, file)))
      .update("\0");
  return hash.digest("hex");
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

async function textOf(path: string): Promise<string> {
  return existsSync(path) ? await readFile(path, "utf8") : "";
}

/** SHA256SUMS over all that is in the folder, which install.sh checks. */
async function writeSums(out: string): Promise<void> {
  const names = (await readdir(out)).filter((name) => TARGETS.some((target) => name === `davit-${target.name}`)).sort();
  const lines = await Promise.all(names.map(async (name) => `${await hashOf(join(out, name))}  ${name}\n`));
  await writeFile(join(out, "SHA256SUMS"), lines.join(""));
}

process.exitCode = await main();
