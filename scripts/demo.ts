// `npm run demo`: three bare hosts on this machine, joined over SSH, running the shop of examples/, one of them killed and brought back.
// Every claim it prints was looked up in the engines themselves or in a page with a nonce, not in davit's own word.
// With --once it takes everything down and ends with the count of its claims; else the lab is left running, to be tried out.

import { join } from "node:path";
import { BINARY, cleanLab, joinNodes, waitUntil } from "../test/lab/cluster.ts";
import { mustRun } from "../test/lab/run-command.ts";
import { pushShopImages } from "./demo/shop-images.ts";
import { createStage, fetchPage, perHost, seen, type Seen, SHOP, SHOP_HOST, visit, visitsOf } from "./demo/stage.ts";
import { seconds, Teller } from "./demo/teller.ts";

const ROOT = join(import.meta.dirname, "..");
const HOSTS = ["n1", "n2", "n3"] as const;
const VICTIM = "n2";
const SURVIVORS = ["n1", "n3"] as const;
const WEB_REPLICAS = 4;
/** The lease of a node is 6 s; then come the second look and the start of the replacements. */
const HEALED_WITHIN_MS = 8_000;
const PATIENCE_MS = 60_000;

const once = process.argv.includes("--once");
const stage = createStage();
const { lab, coordinator } = stage;
const teller = new Teller();

async function main(): Promise<number> {
  await prepare();
  await joinHosts();
  await openShop();
  const before = await look();
  await killVictim(before);
  await powerVictimOn(before);
  if (once) {
    await teller.step("takes everything down", () => cleanLab(lab));
    console.log(`\n${teller.passed} passed, ${teller.failed} failed, 0 skipped`);
  } else await sayWhatNext();
  return teller.failed === 0 ? 0 : 1;
}

async function prepare(): Promise<void> {
  teller.act("Bare hosts");
  await teller.step("builds davit", async () => {
    await mustRun([process.execPath, join(ROOT, "scripts", "build.ts"), "--target", "linux-x64"], { cwd: ROOT });
  });
  await teller.step("takes down what an earlier demo left", () => cleanLab(lab));
  await teller.step("boots three hosts with systemd and an SSH server, and nothing of Docker", async () => {
    await lab.prepare();
    await lab.up(HOSTS.length, "bare");
    // a demo needs no network: the hosts' packages come from this machine
    await lab.localApt(...HOSTS);
  });
  await teller.step("makes the shop's images for a registry of its own", async () => {
    await lab.registryUp();
    await pushShopImages(lab, "v1");
  });
}

async function joinHosts(): Promise<void> {
  teller.act("Two commands: davit up, davit node add");
  await teller.step("starts the coordinator", () => coordinator.start());
  await teller.step("joins the three hosts over SSH, Docker's installation included", async () => {
    await joinNodes(lab, coordinator, HOSTS, teller.passOn);
  });
}

async function openShop(): Promise<void> {
  teller.act("One more: davit deploy");
  const files = [join(SHOP, "compose.yaml"), join(SHOP, "compose.lab.yaml")];
  const env = { REGISTRY: lab.registry, STORE_NODE: VICTIM };
  const argv = ["deploy", ...files.flatMap((file) => ["-f", file]), "--name", "shop", "--timeout", "2m"];
  await teller.step(`deploys the shop: ${WEB_REPLICAS} × web, api on every node, store on ${VICTIM}`, () =>
    coordinator.must(argv, { env, onOutput: teller.passOn }),
  );
}

type Before = { readonly survivors: ReadonlySet<string>; readonly visits: number };

/** What the engines and the pages say of the shop in good order. */
async function look(): Promise<Before> {
  const web = await seen(lab, HOSTS, "web");
  const api = await seen(lab, HOSTS, "api");
  const store = await seen(lab, HOSTS, "store");
  await teller.claim(`the engines run ${WEB_REPLICAS} containers of web, spread over the nodes`, async () => ({
    holds: web.length === WEB_REPLICAS && new Set(web.map(({ host }) => host)).size === HOSTS.length,
    detail: perHost(web),
  }));
  await teller.claim("one api on every node, and the store where its data shall be", async () => ({
    holds: perHost(api) === "n1: 1, n2: 1, n3: 1" && perHost(store) === `${VICTIM}: 1`,
    detail: `api ${perHost(api)}; store ${perHost(store)}`,
  }));
  let visits = 0;
  await teller.claim("each web serves its page, by an api of any node and the store", async () => {
    for (const task of web) {
      const page = await fetchPage(lab, task);
      const isByOne = api.some(({ id }) => page.text.includes(`api: version=v1 host=${id.slice(0, 12)} `));
      if (!isByOne) return { holds: false, detail: page.text };
      visits = visitsOf(page);
    }
    return { holds: web.length > 0, detail: `the store has counted ${visits} visits` };
  });
  await claimHttps(web);
  const survivors = [...web, ...api].filter(({ host }) => host !== VICTIM).map(({ id }) => id);
  return { survivors: new Set(survivors), visits };
}

/** By every node, over its own ingress: the page tells who made it and whom it sees. */
async function claimHttps(web: readonly Seen[]): Promise<void> {
  await teller.claim(
    `https://${SHOP_HOST} answers on every node, names the container and sees the visitor`,
    async () => {
      const told: string[] = [];
      for (const host of HOSTS) {
        const page = await visit(stage, host);
        const [, by = "", nonce = "", client] = /host=(\S+) nonce=(\S+) client=(\S+)/.exec(page.text) ?? [];
        const isOurs = page.url.endsWith(nonce) && client === lab.gateway;
        if (by === "" || !isOurs || !web.some(({ id }) => id.startsWith(by)))
          return { holds: false, detail: page.text };
        told.push(`by ${host}: container ${by}, visitor ${client}`);
      }
      return { holds: true, detail: told.join("; ") };
    },
  );
}

async function killVictim(before: Before): Promise<void> {
  teller.act(`The plug of ${VICTIM} is pulled`);
  await teller.step(`kills ${VICTIM}`, () => lab.crash(VICTIM));
  const tookMs = await teller.step(`waits until ${WEB_REPLICAS} web run on the others`, () =>
    waitUntil("web runs elsewhere", PATIENCE_MS, async () => (await survivingWeb()).length === WEB_REPLICAS),
  );
  await teller.claim(`the engines of the others run all ${WEB_REPLICAS} web`, async () => ({
    holds: tookMs <= HEALED_WITHIN_MS,
    detail: `${perHost(await survivingWeb())}, ${seconds(tookMs)} after the crash`,
  }));
  await claimUntouched(before);
  await teller.claim("the store is not started on an empty volume: it waits, and says for what", async () => {
    const elsewhere = await seen(lab, SURVIVORS, "store");
    const reasons = await waitForStoreReason();
    return { holds: elsewhere.length === 0 && reasons.includes(storeWaits), detail: reasons };
  });
  await teller.claim("pages are served by every web that is left, without the store", async () => {
    const pages = await Promise.all((await survivingWeb()).map((task) => fetchPageWhenReady(task)));
    return {
      holds: pages.length === WEB_REPLICAS && pages.every(({ text }) => text.includes("store: does not answer")),
    };
  });
}

const storeWaits = `its data is on ${VICTIM}, which is down`;

async function survivingWeb(): Promise<readonly Seen[]> {
  return await seen(lab, SURVIVORS, "web");
}

/** A container that has just started may not listen yet. */
async function fetchPageWhenReady(task: Seen): ReturnType<typeof fetchPage> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    try {
      return await fetchPage(lab, task);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await Bun.sleep(100);
    }
  }
}

async function waitForStoreReason(): Promise<string> {
  let reasons = "";
  await waitUntil("the store's task says why it waits", 5_000, async () => {
    const tasks = await coordinator.json<readonly { readonly reason: string }[]>(["service", "ps", "shop_store"]);
    reasons = tasks.map(({ reason }) => reason).join("; ");
    return reasons.includes(storeWaits);
  }).catch(() => undefined);
  return reasons;
}

async function claimUntouched(before: Before): Promise<void> {
  await teller.claim("no container of a healthy node was touched", async () => {
    const now = new Set([...(await survivingWeb()), ...(await seen(lab, SURVIVORS, "api"))].map(({ id }) => id));
    const lost = [...before.survivors].filter((id) => !now.has(id));
    return {
      holds: lost.length === 0 && before.survivors.size > 0,
      detail: `${before.survivors.size} ids are the same`,
    };
  });
}

async function powerVictimOn(before: Before): Promise<void> {
  teller.act(`${VICTIM} comes back`);
  await teller.step(`boots ${VICTIM}, and waits for the store`, async () => {
    await lab.start(VICTIM);
    await lab.wait(VICTIM);
    await waitUntil("the store runs", PATIENCE_MS, async () => (await storeThere()).length === 1);
  });
  await teller.step("waits until each web is there once", () =>
    waitUntil("web is complete", PATIENCE_MS, async () => (await seen(lab, HOSTS, "web")).length === WEB_REPLICAS),
  );
  await teller.claim("the store goes on with its data", async () => {
    const [task] = await seen(lab, SURVIVORS, "web");
    if (task === undefined) return { holds: false, detail: "no web runs" };
    let visits = 0;
    await waitUntil("the store answers", 15_000, async () => {
      visits = await fetchPage(lab, task).then(visitsOf, () => 0);
      return visits > 0;
    });
    return { holds: visits > before.visits, detail: `${visits} visits, ${before.visits} before the crash` };
  });
}

async function storeThere(): Promise<readonly Seen[]> {
  return await seen(lab, [VICTIM], "store").catch(() => []);
}

async function sayWhatNext(): Promise<void> {
  teller.act("What runs where");
  teller.say(await coordinator.must(["ps"]));
  teller.act("Try it");
  const [task] = await seen(lab, HOSTS, "web");
  const page = task === undefined ? "" : `  curl http://${lab.ip(task.host)}:8080/\n`;
  teller.say(`  export DAVIT_HOST=${coordinator.environment["DAVIT_HOST"] ?? ""} ; alias davit=${BINARY}
  davit node ls
  davit service scale shop_web=6
  davit service logs -f shop_web
  davit node drain n3
${page}  davit certificate authority > /tmp/shop-ca.pem
  curl --cacert /tmp/shop-ca.pem --resolve ${SHOP_HOST}:443:${lab.ip("n1")} https://${SHOP_HOST}/
  npm run lab -- crash n1       # and: start n1, cut n3 all, heal, ssh n1
  npm run lab -- down           # takes the hosts down; npm run demo starts anew

${teller.failed === 0 ? "All" : `${teller.passed} of ${teller.passed + teller.failed}`} claims were found true.`);
}

let isEnding = false;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    if (isEnding) return;
    isEnding = true;
    console.log("\ndemo: interrupted; takes everything down");
    void cleanLab(lab).finally(() => process.exit(130));
  });

try {
  process.exitCode = await main();
} catch (error) {
  // an interrupt ends the program that was running first, and is heard here just after
  await Bun.sleep(200);
  if (!isEnding) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    console.error(`--- coordinator\n${coordinator.log.split("\n").slice(-30).join("\n")}`);
    if (once) {
      await cleanLab(lab);
      console.log(`${teller.passed} passed, ${teller.failed + 1} failed, 0 skipped`);
    }
    process.exitCode = 1;
  }
}
