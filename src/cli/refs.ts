// Positional parameters that many verbs share, and the names that a shell offers for them.

import type { DavitClient } from "../client/types.ts";
import type { CliContext } from "./context.ts";

/** Gives the names that a shell may offer. */
type Propose = (this: CliContext, partial: string) => Promise<readonly string[]>;

/** A shell that waits longer for names seems to hang. */
const PROPOSE_WITHIN_MS = 2_000;

export function oneRef(placeholder: string, brief: string, proposeCompletions: Propose = nothing) {
  return { kind: "tuple", parameters: [{ parse: String, placeholder, brief, proposeCompletions }] } as const;
}

export function manyRefs(placeholder: string, brief: string, proposeCompletions: Propose = nothing) {
  return {
    kind: "array",
    parameter: { parse: String, placeholder, brief, proposeCompletions },
    minimum: 1,
  } as const;
}

async function nothing(this: CliContext): Promise<readonly string[]> {
  return [];
}

export const nodeNames = namesBy(async (client) => (await client.nodes()).map((node) => node.name));
export const serviceNames = namesBy(async (client) => (await client.services()).map((service) => service.name));
export const jobNames = namesBy(async (client) => (await client.jobs()).map((job) => job.name));
export const stackNames = namesBy(async (client) => (await client.stacks()).map((stack) => stack.name));
export const tokenNames = namesBy(async (client) => (await client.tokens()).map((token) => token.name));
export const certificateNames = namesBy(async (client) => (await client.certificates()).map(({ name }) => name));
export const registryHosts = namesBy(async (client) => (await client.registries()).map((registry) => registry.host));
/** For `scale`: the number comes after the sign. */
export const serviceWishes = namesBy(async (client) => (await client.services()).map((service) => `${service.name}=`));

/** No names when the coordinator does not answer: a completion never complains. */
function namesBy(list: (client: DavitClient) => Promise<readonly string[]>): Propose {
  return async function (this: CliContext) {
    const late = Promise.withResolvers<readonly string[]>();
    const cancel = this.after(PROPOSE_WITHIN_MS, () => late.resolve([]));
    try {
      return await Promise.race([this.client().then(list), late.promise]);
    } catch {
      return [];
    } finally {
      cancel();
    }
  };
}
