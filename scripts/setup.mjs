// Makes a clone ready to work: packages of npm by the lockfile, Bun's binary and, for the lab, packages of this machine and the
// root file systems of its hosts. Plain Node without packages, because it runs before there are any. A second run changes nothing.
// Usage: node scripts/setup.mjs [lab]

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE = [20, 19];
/** Packages of this machine that the tests use beside those that the lab's own scripts look after: command and Debian package. */
const COMMANDS = [
  ["strace", "strace"],
  ["flock", "util-linux"],
];

function fail(message) {
  process.stderr.write(`setup: ${message}\n`);
  process.exit(1);
}

function say(message) {
  process.stdout.write(`setup: ${message}\n`);
}

function run(command, argv, options = {}) {
  const result = spawnSync(command, argv, { cwd: ROOT, stdio: "inherit", ...options });
  if (result.error !== undefined) fail(`${command}: ${result.error.message}`);
  if (result.status !== 0) fail(`${command} ${argv.join(" ")} ended with ${result.status ?? result.signal}`);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** One set-up of a clone at a time; a lock whose process is gone is taken over. */
async function locked(work) {
  const path = join(tmpdir(), `davit-setup-${createHash("sha256").update(ROOT).digest("hex").slice(0, 12)}.lock`);
  for (;;) {
    try {
      const file = openSync(path, "wx");
      writeSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (isStale(path)) rmSync(path, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, 200));
  }
  process.on("exit", () => rmSync(path, { force: true }));
  await work();
}

/** Its owner is gone. An empty lock is one being written, unless it stays empty. */
function isStale(path) {
  try {
    const owner = Number(readFileSync(path, "utf8"));
    return owner > 0 ? !isAlive(owner) : Date.now() - statSync(path).mtimeMs > 5_000;
  } catch {
    return false;
  }
}

function setUpPackages() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]))
    fail(`Node.js ${process.versions.node} is too old: ${OLDEST_NODE.join(".")} or newer is needed`);
  const wanted = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  const stamp = join(ROOT, "node_modules", ".davit-lockfile");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    say("installing the packages of package-lock.json");
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    writeFileSync(stamp, wanted);
  }
  // an npm that does not run install scripts leaves Bun's binary out
  const bun = join(ROOT, "node_modules", ".bin", "bun");
  if (spawnSync(bun, ["--version"]).status !== 0) {
    say("placing Bun's binary");
    run(process.execPath, [join(dirname(createRequire(import.meta.url).resolve("bun/package.json")), "install.js")]);
  }
}

function setUpLab() {
  if (process.platform !== "linux") fail("the lab needs Linux");
  if (process.getuid() !== 0) fail("the lab makes network name spaces and mounts: run as root");
  const missing = COMMANDS.filter(([command]) => spawnSync("sh", ["-c", `command -v ${command}`]).status !== 0);
  if (missing.length > 0) {
    const packages = missing.map(([, name]) => name);
    say(`installing ${packages.join(", ")}`);
    run("apt-get", ["-qq", "update"]);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  run(join(ROOT, "test", "lab", "lab"), ["prepare", "quiet"]);
}

await locked(() => {
  setUpPackages();
  if (process.argv[2] === "lab") setUpLab();
});
