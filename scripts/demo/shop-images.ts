// Builds the shop's lab images from what this machine has, a static busybox and a few shell scripts, and pushes them to the lab's registry.

import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lab } from "../../test/lab/lab.ts";

const SOURCE = join(import.meta.dirname, "..", "..", "examples", "shop", "lab");
const APPLETS = ["sh", "httpd", "wget", "hostname", "cat", "kill", "sync", "timeout", "wc"];
const ROLES = { web: 8080, api: 8080, store: 6379 } as const;

/** Pushes shop-web, shop-api and shop-store with a version as their tag; returns the images' names. */
export async function pushShopImages(lab: Lab, version: string): Promise<readonly string[]> {
  const pushed: string[] = [];
  for (const [role, port] of Object.entries(ROLES)) {
    const name = `shop-${role}:${version}`;
    const folder = await mkdtemp(join(tmpdir(), "davit-shop-"));
    try {
      await layOut(folder, role);
      const env = [`SHOP_ROLE=${role}`, `SHOP_VERSION=${version}`, `PORT=${port}`];
      await lab.pushImage(name, folder, ["/bin/serve"], env);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    pushed.push(`${lab.registry}/${name}`);
  }
  return pushed;
}

/** The files of one image. */
async function layOut(folder: string, role: string): Promise<void> {
  for (const part of ["bin", "etc", "tmp", "data", "www/cgi-bin"]) await mkdir(join(folder, part), { recursive: true });
  await chmod(folder, 0o755);
  const busybox = Bun.which("busybox");
  if (busybox === null) throw new Error("build the shop's images: busybox is not installed (npm run lab -- prepare)");
  await copyFile(busybox, join(folder, "bin", "busybox"));
  for (const applet of APPLETS) await symlink("busybox", join(folder, "bin", applet));
  await writeFile(join(folder, "etc", "passwd"), "root:x:0:0:root:/:/bin/sh\n");
  await copyFile(join(SOURCE, "serve"), join(folder, "bin", "serve"));
  await copyFile(join(SOURCE, role, "index.cgi"), join(folder, "www", "cgi-bin", "index.cgi"));
  await writeFile(join(folder, "www", "health"), "ok\n");
}
