// Which keys are offered to an SSH server, in which order, and what to say when none was taken. Keys given as files come first:
// they were named on purpose, and a server counts every offer (MaxAuthTries, 6 by default).

import {
  BaseAgent,
  createAgent,
  type AuthHandlerMiddleware,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
  utils,
} from "ssh2";
import { DavitError, reasonOf } from "../core/model/errors.ts";
import { fingerprint } from "./host-keys.ts";
import { type Credentials, showTarget, type SshTarget } from "./target.ts";

/** One key to offer: with its private half, or through the agent that holds it. */
type Offer = { readonly label: string; readonly key: ParsedKey; readonly agent?: BaseAgent };

export type Authentication = {
  readonly handler: AuthHandlerMiddleware;
  /** The error to show after a server refused. `reason` is what ssh2 said. */
  refusal(target: SshTarget, reason: string): DavitError;
};

/** Prepares the offers. Rejects with `invalid_input` when a key cannot be read, with `ssh_failed` when there is none at all. */
export async function prepareAuthentication(target: SshTarget, credentials: Credentials): Promise<Authentication> {
  const named = credentials.identities.map((text) => readKey(text));
  const files = named
    .filter((key) => key.isPrivateKey())
    .map((key): Offer => ({ key, label: `key file ${labelOf(key)}` }));
  const held = await agentOffers(credentials, named);
  const offers = [...files, ...held.offers];
  if (offers.length === 0) throw noKeys(target, credentials, held.problem);
  return {
    handler: handlerOf(target, offers),
    refusal: (to, reason) => refusal(to, reason, offers, credentials),
  };
}

/** The public half of a private key, as an OpenSSH line. Throws `invalid_input`. */
export function publicKeyLine(privateKey: string): string {
  const key = readKey(privateKey);
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}

function readKey(text: string): ParsedKey {
  const parsed = utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error) {
    const reason = key?.message ?? "the file is empty";
    const locked = /passphrase|encrypted/i.test(reason);
    throw new DavitError("invalid_input", `read SSH key: ${reason}`, {
      wayOut: locked
        ? "load the key into ssh-agent (ssh-add), and leave the file out"
        : "give a private key in PEM or OpenSSH form",
    });
  }
  return key;
}

async function agentOffers(
  credentials: Credentials,
  named: readonly ParsedKey[],
): Promise<{ readonly offers: readonly Offer[]; readonly problem: string }> {
  if (credentials.agentSocket === undefined) return { offers: [], problem: "" };
  const agent = createAgent(credentials.agentSocket);
  const inFiles = new Set(named.filter((key) => key.isPrivateKey()).map((key) => blobOf(key)));
  const wanted = new Set(named.map((key) => blobOf(key)));
  try {
    const keys = await identitiesOf(agent);
    const offers = keys
      .filter((key) => !inFiles.has(blobOf(key)))
      .filter((key) => credentials.identitiesOnly !== true || wanted.has(blobOf(key)))
      .toSorted((left, right) => Number(wanted.has(blobOf(right))) - Number(wanted.has(blobOf(left))))
      .map((key): Offer => ({ key, agent, label: `agent key ${labelOf(key)}` }));
    return { offers, problem: "" };
  } catch (error) {
    return { offers: [], problem: `the ssh-agent did not answer: ${reasonOf(error)}` };
  }
}

function identitiesOf(agent: BaseAgent): Promise<readonly ParsedKey[]> {
  return new Promise((resolve, reject) => {
    agent.getIdentities((error, keys) => {
      if (error) return reject(error);
      const parsed = (keys ?? []).map((key) => utils.parseKey(key as Buffer | string | ParsedKey));
      return resolve(parsed.flatMap((key) => (key instanceof Error ? [] : Array.isArray(key) ? key : [key])));
    });
  });
}

/** An agent that knows one key only, so that each offer is seen one by one. */
class OneKeyAgent extends BaseAgent<ParsedKey> {
  readonly #agent: BaseAgent;
  readonly #key: ParsedKey;

  constructor(agent: BaseAgent, key: ParsedKey) {
    super();
    this.#agent = agent;
    this.#key = key;
  }

  override getIdentities(callback: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
    callback(undefined, [this.#key]);
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    if (typeof options === "function") this.#agent.sign(key, data, {}, options);
    else this.#agent.sign(key, data, options, callback);
  }
}

function handlerOf(target: SshTarget, offers: readonly Offer[]): AuthHandlerMiddleware {
  const queue = [...offers];
  return (methodsLeft, _partial, next) => {
    const offer = methodsLeft === null || methodsLeft.includes("publickey") ? queue.shift() : undefined;
    // ssh2 ends with an authentication error on `false`, which its types leave out
    if (offer === undefined) return next(false as never);
    const username = target.user;
    if (offer.agent === undefined) return next({ type: "publickey", username, key: offer.key as never });
    return next({ type: "agent", username, agent: new OneKeyAgent(offer.agent, offer.key) });
  };
}

function refusal(target: SshTarget, reason: string, offers: readonly Offer[], credentials: Credentials): DavitError {
  const tried = offers.map((offer) => offer.label).join(", ");
  if (/too many authentication failures/i.test(reason)) {
    return new DavitError(
      "ssh_failed",
      `connect to ${showTarget(target)}: the server ended the login after too many keys (MaxAuthTries); ${offers.length} were at hand: ${tried}`,
      {
        wayOut:
          "name the right key with --identity FILE, or set IdentityFile and `IdentitiesOnly yes` for this host in ~/.ssh/config",
      },
    );
  }
  const where = credentials.agentSocket === undefined ? "no ssh-agent was asked" : "the ssh-agent was asked";
  return new DavitError(
    "ssh_failed",
    `connect to ${showTarget(target)}: the server took none of the ${offers.length} keys offered: ${tried} (${where})`,
    {
      wayOut: `put one of their public keys into ${target.user}'s ~/.ssh/authorized_keys there (ssh-copy-id), or name another with --identity FILE`,
    },
  );
}

function noKeys(target: SshTarget, credentials: Credentials, problem: string): DavitError {
  const only = credentials.identitiesOnly === true ? "; IdentitiesOnly keeps the agent's other keys away" : "";
  const reason = problem === "" ? `there is no key to offer${only}` : `there is no key to offer, ${problem}`;
  return new DavitError("ssh_failed", `connect to ${showTarget(target)}: ${reason}`, {
    wayOut: "name a key with --identity FILE, or load one into ssh-agent (ssh-add)",
  });
}

function labelOf(key: ParsedKey): string {
  const comment = key.comment === "" ? "" : ` (${key.comment})`;
  return `${key.type} ${fingerprint(key.getPublicSSH())}${comment}`;
}

function blobOf(key: ParsedKey): string {
  return key.getPublicSSH().toString("base64");
}
