// A gRPC client of the talker, over TLS through the ingress of one node: each kind of call, and what became of it.

import { Client, type ClientReadableStream, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { TALKER } from "./apps/grpc-service.ts";

/** `code`: 0 is well, 4 that the deadline passed, 14 that the call was refused or broken off. */
export type Called = {
  readonly texts: readonly string[];
  readonly code: number;
  readonly servedBy: string | undefined;
};

const { say, count, chat } = TALKER;

export class GrpcCaller {
  readonly #client: Client;

  /** `address` with port; `ca` signs the certificate of `host`. */
  constructor(address: string, host: string, ca: string) {
    this.#client = new Client(address, credentials.createSsl(Buffer.from(ca)), {
      "grpc.ssl_target_name_override": host,
      "grpc.default_authority": host,
    });
  }

  /** One request, one answer. */
  say(text: string, deadlineMs = 10_000): Promise<Called> {
    return new Promise((resolve) => {
      const texts: string[] = [];
      const call = this.#client.makeUnaryRequest(
        say.path,
        say.requestSerialize,
        say.responseDeserialize,
        text,
        new Metadata(),
        { deadline: Date.now() + deadlineMs },
        (_error, answer) => {
          if (answer !== undefined) texts.push(answer);
        },
      );
      call.on("status", (status: StatusObject) => resolve(calledOf(texts, status)));
    });
  }

  /** One request, so many answers; of 0 until the server ends. `onText` is called with each. */
  count(answers: number, onText: (text: string) => void = () => undefined): Promise<Called> {
    return ended(
      this.#client.makeServerStreamRequest(count.path, count.requestSerialize, count.responseDeserialize, `${answers}`),
      onText,
    );
  }

  /** Says each text once the one before it was answered. */
  chat(texts: readonly string[]): Promise<Called> {
    const call = this.#client.makeBidiStreamRequest(chat.path, chat.requestSerialize, chat.responseDeserialize);
    const left = [...texts];
    const next = (): void => {
      const text = left.shift();
      if (text === undefined) call.end();
      else call.write(text);
    };
    const done = ended(call, next);
    next();
    return done;
  }

  close(): void {
    this.#client.close();
  }
}

function ended(call: ClientReadableStream<string>, onText: (text: string) => void): Promise<Called> {
  return new Promise((resolve) => {
    const texts: string[] = [];
    call.on("data", (text: string) => {
      texts.push(text);
      onText(text);
    });
    // told by the status, too
    call.on("error", () => undefined);
    call.on("status", (status: StatusObject) => resolve(calledOf(texts, status)));
  });
}

function calledOf(texts: readonly string[], { code, metadata }: StatusObject): Called {
  const [servedBy] = metadata.get("served-by");
  return { texts, code, servedBy: servedBy?.toString() };
}
