// Fetches configs over the control stream, part by part: each part is asked for once the one before it is here, so that beats and grants
// pass between them, however large the config. One fetcher belongs to one session; its end ends every fetch.

import { DavitError } from "../../../src/core/model/errors.ts";
import { MAX_CONFIG_BYTES } from "../../../src/core/model/service-spec.ts";
import type { ConfigPart, NoConfig, WantConfig } from "../../../src/core/protocol/frames.ts";
import type { Clock, Timer } from "../../../src/ports/clock.ts";

/** A coordinator that sends no next part for so long is not going to. */
export const PART_TIMEOUT_MS = 20_000;
const MAX_CONFIG_CHARS = Math.ceil(MAX_CONFIG_BYTES / 3) * 4;

type Fetch = {
  text: string;
  timer: Timer;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: DavitError) => void;
};

export class ConfigFetcher {
  readonly #send: (frame: WantConfig) => void;
  readonly #clock: Clock;
  readonly #fetches = new Map<string, Fetch>();

  constructor(send: (frame: WantConfig) => void, clock: Clock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** The contents of a config. Rejects with `not_found` when the coordinator does not give it, else with `unavailable`. */
  fetch(config: string): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#fetches
      .get(config)
      ?.reject(new DavitError("unavailable", `fetch config ${short(config)}: it was asked for again`));
    this.#fetches.set(config, { text: "", timer: this.#giveUpLater(config), resolve, reject });
    this.#send({ type: "wantConfig", config, offset: 0 });
    return promise;
  }

  /** A part that nobody waits for is left alone. */
  take(frame: ConfigPart | NoConfig): void {
    const fetch = this.#fetches.get(frame.config);
    if (fetch === undefined) return;
    if (frame.type === "noConfig")
      return this.#fail(frame.config, "not_found", "the coordinator does not have it for this node");
    if (frame.offset !== fetch.text.length) return;
    fetch.text += frame.data;
    if (frame.length > MAX_CONFIG_CHARS || (frame.data === "" && fetch.text.length < frame.length))
      return this.#fail(frame.config, "unavailable", "the coordinator sent what is no part of a config");
    fetch.timer.cancel();
    if (fetch.text.length < frame.length) {
      fetch.timer = this.#giveUpLater(frame.config);
      return this.#send({ type: "wantConfig", config: frame.config, offset: fetch.text.length });
    }
    this.#fetches.delete(frame.config);
    fetch.resolve(Buffer.from(fetch.text, "base64"));
  }

  /** The session is over. */
  end(reason: string): void {
    for (const config of this.#fetches.keys()) this.#fail(config, "unavailable", reason);
  }

  #giveUpLater(config: string): Timer {
    return this.#clock.after(PART_TIMEOUT_MS, () =>
      this.#fail(config, "unavailable", `the coordinator sent nothing for ${PART_TIMEOUT_MS / 1_000} s`),
    );
  }

  #fail(config: string, code: "not_found" | "unavailable", why: string): void {
    const fetch = this.#fetches.get(config);
    if (fetch === undefined) return;
    this.#fetches.delete(config);
    fetch.timer.cancel();
    fetch.reject(new DavitError(code, `fetch config ${short(config)}: ${why}`));
  }
}

function short(config: string): string {
  return config.slice(0, 12);
}
