// davit service scale web=6 api=2

import { buildCommand } from "@stricli/core";
import { DavitError } from "../../core/model/errors.ts";
import { type CliContext, say } from "../context.ts";
import { manyRefs, serviceWishes } from "../refs.ts";
import { type Awaited, WAIT_FLAGS, type WaitFlags, waitUnlessDetached } from "../wait.ts";

export const serviceScale = buildCommand<WaitFlags, string[], CliContext>({
  docs: { brief: "change the number of replicas: SERVICE=N" },
  parameters: { positional: manyRefs("SERVICE=N", "a service and how many", serviceWishes), flags: WAIT_FLAGS },
  async func(flags, ...wishes) {
    const parsed = wishes.map(parseWish);
    const client = await this.client();
    const services: Awaited[] = [];
    for (const { ref, replicas } of parsed) {
      const service = await client.scale(ref, replicas);
      say(this, `${service.name} is scaled to ${replicas}`);
      services.push(service);
    }
    await waitUnlessDetached(this, services, flags);
  },
});

function parseWish(text: string): { readonly ref: string; readonly replicas: number } {
  const match = /^([^=]+)=(\d{1,6})$/.exec(text);
  if (match?.[1] === undefined) throw new DavitError("invalid_input", `'${text}' is not SERVICE=N: write web=6`);
  return { ref: match[1], replicas: Number(match[2]) };
}
