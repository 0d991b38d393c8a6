// Keeps the view true: connects to the engine's events, takes a full look each time (events may be lost meanwhile), and lets the
// reconciler work only while the engine answers.

import { reasonOf } from "../../../src/core/model/errors.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { ContainerEngine, EngineEvent } from "../../../src/ports/container-engine.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { EngineView } from "./engine-view.ts";

const FIRST_RETRY_MS = 100;
/** An engine takes a second or two to restart. */
const LAST_RETRY_MS = 1_000;
/** A full look although nothing was heard: an event may have been lost. */
const RELOOK_MS = 60_000;

/** What works with the engine while it answers. */
export interface EngineWorker {
  /** The engine answers and was looked at in full. */
  resume(): void;
  pause(): void;
  /** Something changed there. */
  wake(): void;
}

export class EngineWatch {
  readonly #engine: ContainerEngine;
  readonly #view: EngineView;
  readonly #reconciler: EngineWorker;
  readonly #clock: Clock;
  readonly #log: Log;
  #connection = new AbortController();
  #trouble: string | undefined = "not asked yet";
  #looks: Promise<void> = Promise.resolve();

  constructor(engine: ContainerEngine, view: EngineView, reconciler: EngineWorker, clock: Clock, log: Log) {
    this.#engine = engine;
    this.#view = view;
    this.#reconciler = reconciler;
    this.#clock = clock;
    this.#log = log;
  }

  /** Why the engine cannot be worked with; undefined while it can. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** An operation found the engine gone: connect anew. */
  lost(reason: string): void {
    this.#connection.abort(new Error(reason));
  }

  /** Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      const connection = new AbortController();
      this.#connection = connection;
      const stop = (): void => connection.abort(new Error("the agent stops"));
      signal.addEventListener("abort", stop);
      try {
        await this.#engine.ping();
        await this.#follow(connection, () => (retryMs = FIRST_RETRY_MS));
      } catch (error) {
        if (!signal.aborted)
          this.#pause(connection.signal.aborted ? reasonOf(connection.signal.reason) : reasonOf(error));
      } finally {
        signal.removeEventListener("abort", stop);
        connection.abort();
      }
      if (signal.aborted) return this.#reconciler.pause();
      await this.#clock.sleep(retryMs);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
    // nothing is begun that nobody would see the end of
    this.#reconciler.pause();
  }

  async #follow(connection: AbortController, onUp: () => void): Promise<void> {
    const events = this.#engine.events(
      this.#view.label,
      connection.signal,
      () => void this.#enqueue(connection, () => this.#lookAtAll(connection, onUp)),
      (event) => void this.#enqueue(connection, () => this.#receive(event)),
    );
    await events;
  }

  /** Looks run one after the other, in the order of the events. A failed one means a new connection. */
  #enqueue(connection: AbortController, look: () => Promise<void>): Promise<void> {
    this.#looks = this.#looks.then(async () => {
      if (connection.signal.aborted) return;
      await look().catch((error: unknown) => connection.abort(error));
    });
    return this.#looks;
  }

  async #lookAtAll(connection: AbortController, onUp: () => void): Promise<void> {
    if (this.#trouble !== undefined) this.#view.forgetFacts();
    await this.#view.refresh();
    if (connection.signal.aborted) return;
    if (this.#trouble !== undefined)
      this.#log.info("container engine answers", { containers: this.#view.containers.length });
    this.#trouble = undefined;
    onUp();
    this.#reconciler.resume();
    this.#clock.after(RELOOK_MS, () => {
      if (!connection.signal.aborted) void this.#enqueue(connection, () => this.#lookAtAll(connection, onUp));
    });
  }

  async #receive(event: EngineEvent): Promise<void> {
    if (await this.#view.receive(event)) this.#reconciler.wake();
  }

  #pause(reason: string): void {
    if (this.#trouble === undefined) this.#log.warn("container engine lost", { reason });
    this.#trouble = reason;
    this.#reconciler.pause();
  }
}
