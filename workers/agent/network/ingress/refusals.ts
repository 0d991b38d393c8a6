// What the program has against its settings, by route and certificate: the one that is to blame is left out until its text is another, so that the
// others go on.

import { DavitError } from "../../../../src/core/model/errors.ts";
import type { Log } from "../../../../src/ports/log.ts";
import { blameFor } from "./blame.ts";
import type { IngressFiles } from "./ingress-files.ts";
import type { ProxyUnit } from "./proxy-unit.ts";
import { CONFIG_FILE, type IngressPaths } from "./render-config.ts";
import type { Served, Target } from "./running-proxy.ts";

export type RefusalsContext = {
  readonly paths: IngressPaths;
  readonly files: IngressFiles;
  readonly unit: ProxyUnit;
  readonly log: Log;
  /** A digest in hex. */
  readonly hash: (text: string) => string;
};

export class Refusals {
  readonly #context: RefusalsContext;
  /** Routes and certificates that the proxy refused, with its words. */
  readonly #refused = new Map<string, string>();
  /** What it had nothing against when it was asked last. */
  #accepted: ReadonlySet<string> = new Set();
  #checked = "";

  constructor(context: RefusalsContext) {
    this.#context = context;
  }

  /** What is left out and why, in words. */
  get words(): readonly string[] {
    return [...this.#refused.values()];
  }

  clear(): void {
    this.#refused.clear();
    this.#accepted = new Set();
    this.#checked = "";
  }

  /** Asks the program, unless only servers are different. Notes who is to blame; rejects when nobody is. */
  async isAccepted(text: string, target: Required<Target>): Promise<boolean> {
    const { files, unit, paths } = this.#context;
    const look = this.#look(target);
    if (look === this.#checked) return true;
    await files.write(`${CONFIG_FILE}.next`, text);
    const said = await unit.check(`${paths.directory}/${CONFIG_FILE}.next`);
    await files.remove(`${CONFIG_FILE}.next`);
    if (said === undefined) {
      this.#checked = look;
      this.#accepted = new Set(this.#identities(target.wanted).keys());
      return true;
    }
    this.#refuse(said, text, target);
    return false;
  }

  /** A refusal is of one text: what is changed is tried again. */
  without(all: Served): Served {
    const present = new Set<string>();
    const isFine = (identity: string): boolean => {
      present.add(identity);
      return !this.#refused.has(identity);
    };
    const routes = all.routes.filter(({ key }) => isFine(this.#identity(all, key, false)));
    const certificates = all.certificates.filter(({ name }) => isFine(this.#identity(all, name, true)));
    for (const identity of this.#refused.keys()) if (!present.has(identity)) this.#refused.delete(identity);
    return { ...all, routes, certificates };
  }

  /** All that the program may have something against. */
  #look({ layout, wanted }: Required<Target>): string {
    const { hash } = this.#context;
    const names = layout.backends.map(({ name }) => name).join(" ");
    return hash(`${names} ${wanted.certificates.map(({ pem, hosts }) => hash(`${pem} ${hosts.join(" ")}`)).join(" ")}`);
  }

  #refuse(said: string, text: string, { layout, certificateFiles, wanted }: Required<Target>): void {
    const blame = blameFor(said, text, [...certificateFiles.values()]);
    const isCertificate = blame?.kind === "certificate";
    const subject = isCertificate
      ? [...certificateFiles].find(([, file]) => file === blame.file)?.[0]
      : layout.backends.find(({ name }) => name === blame?.name)?.route;
    if (blame === undefined || subject === undefined) return this.#refuseNew(wanted, said);
    const fault = `${isCertificate ? "certificate" : "route"} ${subject} is left out: the proxy says: ${blame.reason}`;
    this.#context.log.error("the ingress proxy refuses a part of its settings", { fault });
    this.#refused.set(this.#identity(wanted, subject, isCertificate), fault);
  }

  /** What it says is about no part alone: then it is what came since it took them last. Rejects when nothing did. */
  #refuseNew(wanted: Served, said: string): void {
    const fresh = [...this.#identities(wanted)].filter(([identity]) => !this.#accepted.has(identity));
    if (fresh.length === 0 || this.#accepted.size === 0)
      throw new DavitError("internal", `check the ingress proxy's settings: ${said.slice(0, 500)}`);
    for (const [identity, subject] of fresh)
      this.#refused.set(identity, `${subject} is left out: the proxy says: ${said.slice(0, 300)}`);
    this.#context.log.error("the ingress proxy refuses what came last", { said: said.slice(0, 500) });
  }

  /** Each route and certificate in its text of now, by what it is called in messages. */
  #identities(wanted: Served): ReadonlyMap<string, string> {
    const routes = wanted.routes.map(({ key }) => [this.#identity(wanted, key, false), `route ${key}`] as const);
    const certificates = wanted.certificates.map(
      ({ name }) => [this.#identity(wanted, name, true), `certificate ${name}`] as const,
    );
    return new Map([...routes, ...certificates]);
  }

  #identity(wanted: Served, subject: string, isCertificate: boolean): string {
    const content = isCertificate
      ? wanted.certificates.find(({ name }) => name === subject)?.pem
      : wanted.routes.find(({ key }) => key === subject)?.spec;
    return `${isCertificate ? "certificate" : "route"} ${subject} ${this.#context.hash(JSON.stringify(content ?? ""))}`;
  }
}
