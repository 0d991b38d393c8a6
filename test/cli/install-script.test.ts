// install.sh as a user runs it, with small stand-ins for the binaries.

import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "../../install.sh");
const NAMES = ["davit-linux-x64", "davit-linux-arm64", "davit-darwin-arm64"];

/** A folder as `npm run build` leaves it, and a prefix to install into. */
function release() {
  const root = mkdtempSync(join(tmpdir(), "davit-install-"));
  const dist = join(root, "dist");
  mkdirSync(dist);
  const sums = NAMES.map((name) => {
    const text = `#!/bin/sh\necho ${name}\n`;
    writeFileSync(join(dist, name), text);
    return `${createHash("sha256").update(text).digest("hex")}  ${name}\n`;
  });
  writeFileSync(join(dist, "SHA256SUMS"), sums.join(""));
  return { root, dist, prefix: join(root, "prefix"), installed: join(root, "prefix/bin/davit") };
}

/** A `uname` that says so. */
function machine(root: string, system: string, hardware: string): string {
  const bin = join(root, `${system}-${hardware}`);
  mkdirSync(bin);
  writeFileSync(join(bin, "uname"), `#!/bin/sh\n[ "$1" = -s ] && echo ${system} || echo ${hardware}\n`);
  chmodSync(join(bin, "uname"), 0o755);
  return bin;
}

async function install(
  from: string,
  prefix: string,
  { path = "", env = {} }: { readonly path?: string; readonly env?: Readonly<Record<string, string>> } = {},
) {
  const child = Bun.spawn(["sh", SCRIPT, from], {
    env: { PATH: `${path}:/usr/bin:/bin`, PREFIX: prefix, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

test.each([
  ["Linux", "x86_64", "davit-linux-x64"],
  ["Linux", "aarch64", "davit-linux-arm64"],
  ["Darwin", "arm64", "davit-darwin-arm64"],
])("on %s %s the binary for it is installed, and runs", async (system, hardware, name) => {
  const { root, dist, prefix, installed } = release();
  const { code, stdout } = await install(dist, prefix, { path: machine(root, system, hardware) });
  expect(code).toBe(0);
  expect(stdout).toContain(`installed ${installed} (${name})`);
  expect(Bun.spawnSync([installed]).stdout.toString()).toBe(`${name}\n`);
});

test("a second time nothing is changed, and a newer binary takes the old one's place", async () => {
  const { root, dist, prefix, installed } = release();
  const path = machine(root, "Linux", "x86_64");
  await install(dist, prefix, { path });
  const before = statSync(installed).ino;
  expect((await install(dist, prefix, { path })).stdout).toBe(`install: ${installed} is current\n`);
  expect(statSync(installed).ino).toBe(before);
  const newer = release();
  writeFileSync(join(newer.dist, "davit-linux-x64"), "#!/bin/sh\necho newer\n");
  const hash = createHash("sha256").update("#!/bin/sh\necho newer\n").digest("hex");
  writeFileSync(join(newer.dist, "SHA256SUMS"), `${hash}  davit-linux-x64\n`);
  expect((await install(newer.dist, prefix, { path })).code).toBe(0);
  expect(Bun.spawnSync([installed]).stdout.toString()).toBe("newer\n");
  expect(readdirSync(join(prefix, "bin"))).toEqual(["davit"]);
});

test("a binary with another hash is refused, and what was installed stays", async () => {
  const { root, dist, prefix, installed } = release();
  const path = machine(root, "Linux", "x86_64");
  await install(dist, prefix, { path });
  const newer = release();
  writeFileSync(join(newer.dist, "davit-linux-x64"), "#!/bin/sh\necho something else\n");
  writeFileSync(join(newer.dist, "SHA256SUMS"), `${"0".repeat(64)}  davit-linux-x64\n`);
  const { code, stderr } = await install(newer.dist, prefix, { path });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /davit-linux-x64 has the hash [0-9a-f]{64}, not 0{64} as SHA256SUMS says\n {2}way out: nothing/,
  );
  expect(Bun.spawnSync([installed]).stdout.toString()).toBe("davit-linux-x64\n");
});

test("sums that are not the ones known from elsewhere are refused", async () => {
  const { root, dist, prefix } = release();
  const path = machine(root, "Linux", "x86_64");
  const sums = createHash("sha256")
    .update(readFileSync(join(dist, "SHA256SUMS")))
    .digest("hex");
  expect(await install(dist, prefix, { path, env: { DAVIT_SHA256: "0".repeat(64) } })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("DAVIT_SHA256"),
  });
  expect(await install(dist, prefix, { path, env: { DAVIT_SHA256: sums } })).toMatchObject({ code: 0 });
});

test("a machine without a binary, an empty folder and a prefix that cannot be written are named", async () => {
  const { root, dist, prefix } = release();
  expect((await install(dist, prefix, { path: machine(root, "Linux", "riscv64") })).stderr).toContain(
    "davit does not run on riscv64",
  );
  expect((await install(dist, prefix, { path: machine(root, "FreeBSD", "amd64") })).stderr).toContain(
    "davit does not run on FreeBSD",
  );
  expect((await install(dist, prefix, { path: machine(root, "Darwin", "x86_64") })).stderr).toContain(
    "SHA256SUMS has no davit-darwin-x64",
  );
  const path = machine(root, "Linux", "x86_64");
  expect((await install(join(root, "nothing"), prefix, { path })).stderr).toContain(
    "SHA256SUMS\n  way out: npm run build makes it",
  );
  writeFileSync(join(root, "file"), "");
  expect(await install(dist, join(root, "file"), { path })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("choose PREFIX="),
  });
});

test("it fetches from a server too, and says what could not be had", async () => {
  const { root, dist, prefix, installed } = release();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const file = Bun.file(join(dist, new URL(request.url).pathname));
      return file.exists().then((exists) => (exists ? new Response(file) : new Response("", { status: 404 })));
    },
  });
  onTestFinished(() => server.stop(true));
  const path = machine(root, "Linux", "x86_64");
  expect(await install(`http://127.0.0.1:${server.port}/`, prefix, { path })).toMatchObject({ code: 0 });
  expect(Bun.spawnSync([installed]).exitCode).toBe(0);
  const absent = await install(`http://127.0.0.1:${server.port}/none`, join(root, "other"), { path });
  expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining("/none/SHA256SUMS: it could not be had") });
});
