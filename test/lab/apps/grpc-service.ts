// A gRPC service with one call of each kind, as both ends of a lab test have it: messages are bytes, so no schema is compiled.

import type { MethodDefinition } from "@grpc/grpc-js";

type Kind = { readonly requestStream: boolean; readonly responseStream: boolean };

function method(name: string, kind: Kind): MethodDefinition<string, string> {
  const toBytes = (text: string): Buffer => Buffer.from(text);
  const toText = (bytes: Buffer): string => bytes.toString("utf8");
  return {
    path: `/talker.Talker/${name}`,
    ...kind,
    requestSerialize: toBytes,
    requestDeserialize: toText,
    responseSerialize: toBytes,
    responseDeserialize: toText,
  };
}

export const TALKER = {
  /** Answers with the version and what was said; trailers name the container. A request of a number waits as many milliseconds. */
  say: method("Say", { requestStream: false, responseStream: false }),
  /** So many answers, or, of 0, one every 50 ms until the server is to end. */
  count: method("Count", { requestStream: false, responseStream: true }),
  /** Answers each message with itself. */
  chat: method("Chat", { requestStream: true, responseStream: true }),
} as const;
