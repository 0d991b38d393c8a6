// A client's own account of what it asked and what came back: HTTP/1.1 over connections that are kept and over new ones, without retries of
// any kind. A kept connection that the server ends between two answers is no failure: it is counted apart.

import { connect, type Socket } from "node:net";

export type Target = { readonly host: string; readonly port: number; readonly path?: string; readonly name?: string };

export type LedgerOptions = {
  /** Connections that are kept, and loops that make a new one for each request. */
  readonly kept: number;
  readonly fresh: number;
  /** An answer that takes longer is a failure. Default: ten seconds. */
  readonly timeoutMs?: number;
};

export type Account = {
  readonly requests: number;
  /** Of requests over new connections: no connection, or no whole answer with status 200. */
  readonly failedFresh: readonly string[];
  /** Of requests over kept connections that had been answered on before. */
  readonly failedKept: readonly string[];
  /** Kept connections that the server ended between two answers. */
  readonly ended: number;
  /** Answers by their first line of text: which container it was. */
  readonly byAnswer: ReadonlyMap<string, number>;
};

const TIMEOUT_MS = 10_000;

export class Ledger {
  readonly #targets: readonly Target[];
  readonly #options: LedgerOptions;
  #isRunning = false;
  #loops: readonly Promise<void>[] = [];
  #next = 0;
  #requests = 0;
  #ended = 0;
  readonly #failedFresh: string[] = [];
  readonly #failedKept: string[] = [];
  readonly #byAnswer = new Map<string, number>();

  constructor(targets: readonly Target[], options: LedgerOptions) {
    this.#targets = targets;
    this.#options = options;
  }

  start(): void {
    this.#isRunning = true;
    const kept = Array.from({ length: this.#options.kept }, () => this.#keep());
    const fresh = Array.from({ length: this.#options.fresh }, () => this.#renew());
    this.#loops = [...kept, ...fresh];
  }

  get requests(): number {
    return this.#requests;
  }

  /** How many answers came from whom so far. */
  answersOf(name: string): number {
    return this.#byAnswer.get(name) ?? 0;
  }

  /** Ends after the requests that are on their way. */
  async stop(): Promise<Account> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
    return {
      requests: this.#requests,
      failedFresh: this.#failedFresh,
      failedKept: this.#failedKept,
      ended: this.#ended,
      byAnswer: this.#byAnswer,
    };
  }

  async #renew(): Promise<void> {
    while (this.#isRunning) {
      const target = this.#turn();
      const line = await this.#open(target);
      if (typeof line === "string") {
        this.#note(this.#failedFresh, line);
        continue;
      }
      const answer = await line.ask(true);
      if (answer.kind === "answer") this.#count(answer.text);
      else this.#note(this.#failedFresh, `${target.host}:${target.port}: ${answer.reason}`);
      line.end();
    }
  }

  async #keep(): Promise<void> {
    while (this.#isRunning) {
      const target = this.#turn();
      const line = await this.#open(target);
      if (typeof line === "string") {
        this.#note(this.#failedFresh, line);
        continue;
      }
      await this.#askOn(line, target);
      line.end();
    }
  }

  /** Asks over one connection until either side has enough of it. */
  async #askOn(line: Line, target: Target): Promise<void> {
    for (let count = 0; this.#isRunning; count++) {
      if (line.isEnded) {
        this.#ended += 1;
        return;
      }
      const answer = await line.ask(false);
      if (answer.kind === "failure") {
        this.#note(
          count === 0 ? this.#failedFresh : this.#failedKept,
          `${target.host}:${target.port}: ${answer.reason}`,
        );
        return;
      }
      this.#count(answer.text);
      if (answer.isLast) {
        this.#ended += 1;
        return;
      }
    }
  }

  async #open(target: Target): Promise<Line | string> {
    const line = new Line(target, this.#options.timeoutMs ?? TIMEOUT_MS);
    const fault = await line.opened;
    return fault === undefined ? line : `${target.host}:${target.port}: ${fault}`;
  }

  #turn(): Target {
    const target = this.#targets[this.#next++ % this.#targets.length];
    if (target === undefined) throw new Error("a ledger needs a target");
    return target;
  }

  #count(text: string): void {
    this.#requests += 1;
    const name = text.split("\n")[0] ?? "";
    this.#byAnswer.set(name, (this.#byAnswer.get(name) ?? 0) + 1);
  }

  #note(list: string[], reason: string): void {
    this.#requests += 1;
    list.push(reason);
  }
}

type Answer =
  | { readonly kind: "answer"; readonly text: string; readonly isLast: boolean }
  | { readonly kind: "failure"; readonly reason: string };

/** One connection that asks one thing at a time. */
class Line {
  readonly opened: Promise<string | undefined>;
  readonly #socket: Socket;
  readonly #question: string;
  #text = "";
  #fault: string | undefined;
  #wake: () => void = () => undefined;

  constructor({ host, port, path = "/", name }: Target, timeoutMs: number) {
    this.#question = `GET ${path} HTTP/1.1\r\nHost: ${name ?? host}\r\n`;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.setTimeout(timeoutMs, () => this.#end(`no answer within ${timeoutMs} ms`));
    this.opened = new Promise((resolve) => {
      this.#socket.once("connect", () => resolve(undefined));
      this.#wake = () => resolve(this.#fault);
    });
    this.#socket.on("data", (bytes) => {
      this.#text += bytes.toString("latin1");
      this.#wake();
    });
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("end", () => this.#end("the server ended the connection"));
    this.#socket.on("close", () => this.#end("the connection was closed"));
  }

  get isEnded(): boolean {
    return this.#fault !== undefined;
  }

  async ask(isLast: boolean): Promise<Answer> {
    if (this.#fault !== undefined) return { kind: "failure", reason: this.#fault };
    this.#socket.write(`${this.#question}${isLast ? "Connection: close\r\n" : ""}\r\n`);
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined) return answer;
      if (this.#fault !== undefined) return { kind: "failure", reason: this.#fault };
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  end(): void {
    this.#socket.destroy();
  }

  /** A whole answer, if it is there. */
  #take(): Answer | undefined {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const head = this.#text.slice(0, end);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? "0");
    if (this.#text.length < end + 4 + length) return undefined;
    const text = this.#text.slice(end + 4, end + 4 + length);
    this.#text = this.#text.slice(end + 4 + length);
    const status = head.split(" ")[1];
    if (status !== "200") return { kind: "failure", reason: `status ${status}` };
    return { kind: "answer", text, isLast: /^connection: *close/im.test(head) };
  }

  #end(reason: string): void {
    this.#fault ??= reason;
    this.#wake();
  }
}
