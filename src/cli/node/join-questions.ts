// What a question on the terminal can mend in a join: an unknown host key, a sudo password, the passphrase of a key. One question at a time,
// though several hosts join at once; an answer that fits other hosts too is not asked for again.

import { DavitError, reasonOf } from "../../core/model/errors.ts";
import type { JoinRequest } from "../../core/model/views.ts";
import type { LockedKey } from "../../ssh/config/resolve.ts";
import { OneByOne } from "../../core/model/one-by-one.ts";
import { type CliContext, note } from "../context.ts";
import type { JoinBoard } from "./join-board.ts";

const MAX_PASSPHRASES = 3;

export class JoinQuestions {
  readonly #context: CliContext;
  readonly #board: JoinBoard;
  /** Key texts without passphrase by path; undefined: the user has none to give. */
  readonly #unlocked = new Map<string, string | undefined>();
  readonly #turns = new OneByOne();

  constructor(context: CliContext, board: JoinBoard) {
    this.#context = context;
    this.#board = board;
  }

  /** A request that may do better, or undefined when there is no terminal, no question that helps, or no answer. */
  async mend(request: JoinRequest, lockedKeys: readonly LockedKey[], error: unknown): Promise<JoinRequest | undefined> {
    if (!this.#context.canAsk || !(error instanceof DavitError)) return undefined;
    const problem = [error, ...error.details].map(({ message }) => message).join("; ");
    if (/host key is not known/.test(problem) && !request.acceptNewHostKey)
      return await this.#inTurn(() => this.#hostKey(request, error));
    if (/sudo (asks|did not accept)/.test(problem)) return await this.#inTurn(() => this.#sudo(request, problem));
    if (/no key to offer|none of the \d+ keys/.test(problem) && lockedKeys.length > 0)
      return await this.#inTurn(() => this.#unlock(request, lockedKeys));
    return undefined;
  }

  #inTurn<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return this.#turns.run(() => this.#board.hold(ask));
  }

  async #hostKey(request: JoinRequest, error: DavitError): Promise<JoinRequest | undefined> {
    const answer = await this.#context.ask(`${error.message}\nAccept and pin this host key? [y/N] `);
    return /^y(es)?$/i.test(answer?.trim() ?? "") ? { ...request, acceptNewHostKey: true } : undefined;
  }

  async #sudo(request: JoinRequest, problem: string): Promise<JoinRequest | undefined> {
    const again = /did not accept/.test(problem) ? "that was not it; " : "";
    const question = `${again}sudo password of ${request.user} on ${request.host}: `;
    const sudoPassword = await this.#context.ask(question, { hidden: true });
    return sudoPassword === undefined || sudoPassword === "" ? undefined : { ...request, sudoPassword };
  }

  /** Adds the keys that the user can unlock; undefined when there is no further one. */
  async #unlock(request: JoinRequest, lockedKeys: readonly LockedKey[]): Promise<JoinRequest | undefined> {
    const texts: string[] = [];
    for (const key of lockedKeys) {
      if (!this.#unlocked.has(key.path)) this.#unlocked.set(key.path, await this.#passphrase(key));
      const text = this.#unlocked.get(key.path);
      if (text !== undefined && !request.identities.includes(text)) texts.push(text);
    }
    return texts.length === 0 ? undefined : { ...request, identities: [...texts, ...request.identities] };
  }

  async #passphrase({ path, text }: LockedKey): Promise<string | undefined> {
    const { unlockKey } = await import("../../ssh/config/unlock.ts");
    for (let attempt = 0; attempt < MAX_PASSPHRASES; attempt++) {
      const passphrase = await this.#context.ask(`passphrase of ${path} (empty: go on without it): `, { hidden: true });
      if (passphrase === undefined || passphrase === "") return undefined;
      try {
        return unlockKey(path, text, passphrase);
      } catch (error) {
        note(this.#context, reasonOf(error));
      }
    }
    return undefined;
  }
}
