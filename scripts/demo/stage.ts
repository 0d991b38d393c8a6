// Where the demo plays: its lab, its coordinator, and the shop as its engines and its visitors see it, never as davit says.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CoordinatorProcess } from "../../test/lab/cluster.ts";
import { DEMO_PLACE, type EngineContainer, Lab, placeFrom } from "../../test/lab/lab.ts";
import { mustRun } from "../../test/lab/run-command.ts";

export const SHOP = join(import.meta.dirname, "..", "..", "examples", "shop");
export const WEB_PORT = 8080;
export const SHOP_HOST = "shop.internal";

export type Stage = { readonly lab: Lab; readonly coordinator: CoordinatorProcess };

export function createStage(): Stage {
  const lab = new Lab(placeFrom(process.env, DEMO_PLACE));
  // "data-" makes it part of the lab: whoever cleans the lab ends it
  return { lab, coordinator: new CoordinatorProcess(join(lab.directory, "data-demo")) };
}

/** A container of the shop on a host, as that host's engine lists it. */
export type Seen = { readonly host: string; readonly id: string; readonly container: EngineContainer };

/** Running containers of a service of the shop on these hosts. */
export async function seen(lab: Lab, hosts: readonly string[], service: string): Promise<readonly Seen[]> {
  const lists = await Promise.all(
    hosts.map(async (host) => {
      const containers = await lab.containers(host, `davit.service=shop_${service}`);
      return containers
        .filter(({ State }) => State === "running")
        .map((container) => ({ host, id: container.Id, container }));
    }),
  );
  return lists.flat();
}

/** "n1: 2, n3: 2" */
export function perHost(containers: readonly Seen[]): string {
  const counts = new Map<string, number>();
  for (const { host } of containers) counts.set(host, (counts.get(host) ?? 0) + 1);
  const parts = [...counts].map(([host, count]) => `${host}: ${count}`);
  return parts.sort().join(", ");
}

export type Page = { readonly url: string; readonly text: string };

/** Fetches the page of one task of web at its own address, from its host, with a nonce of its own, and checks that the answer is for it. */
export async function fetchPage(lab: Lab, task: Seen): Promise<Page> {
  const address = task.container.NetworkSettings.Networks["davit0"]?.IPAddress;
  if (address === undefined) throw new Error(`${task.id.slice(0, 12)} on ${task.host} has no address`);
  const nonce = crypto.randomUUID();
  const url = `http://${address}:${WEB_PORT}/?${nonce}`;
  const text = await lab.on(task.host, `curl -sS --fail --max-time 10 '${url}'`);
  if (!text.includes(`host=${task.id.slice(0, 12)} nonce=${nonce}`))
    throw new Error(`${url} is not the page of ${task.id.slice(0, 12)} for this nonce: ${text}`);
  return { url, text };
}

/** The page as a visitor's browser has it who trusts the cluster's authority and was led to this node by the shop's name. */
export async function visit(stage: Stage, host: string): Promise<Page> {
  const { lab, coordinator } = stage;
  const authority = join(lab.directory, "authority.pem");
  await writeFile(authority, await coordinator.must(["certificate", "authority"]));
  const url = `https://${SHOP_HOST}/?${crypto.randomUUID()}`;
  const at = `${SHOP_HOST}:443:${lab.ip(host)}`;
  const text = await mustRun(["curl", "-sS", "--fail", "-m", "10", "--cacert", authority, "--resolve", at, url]);
  return { url, text };
}

/** How often the store says it was visited. */
export function visitsOf(page: Page): number {
  const visits = /^store: .* visits=(\d+)$/m.exec(page.text)?.[1];
  if (visits === undefined) throw new Error(`the store did not answer: ${page.text}`);
  return Number(visits);
}
