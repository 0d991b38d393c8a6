// The talker's gRPC server: one call of each kind, and an end that lets streams end.

import {
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { TALKER } from "./grpc-service.ts";

const TICK_MS = 50;

/** Listens without TLS; gives the way to end it: no new calls, endless streams end in good order, and it resolves once all have. */
export function serveGrpc(port: number, version: string, host: string): () => Promise<void> {
  const server = new Server();
  const ending = new AbortController();
  server.addService(TALKER, {
    say: (call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) => {
      const trailers = new Metadata();
      trailers.set("served-by", host);
      const waitMs = Number(call.request) || 0;
      setTimeout(() => answer(null, `${version} ${call.request}`, trailers), waitMs);
    },
    count: (call: ServerWritableStream<string, string>) => void count(call, version, ending.signal),
    chat: (call: ServerDuplexStream<string, string>) => {
      call.on("data", (text: string) => call.write(`${version} ${text}`));
      call.on("end", () => call.end());
    },
  });
  server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), (error) => {
    if (error !== null) throw error;
  });
  return async () => {
    ending.abort();
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  };
}

async function count(call: ServerWritableStream<string, string>, version: string, ending: AbortSignal): Promise<void> {
  const wanted = Number(call.request);
  for (let at = 1; wanted === 0 ? !ending.aborted && !call.cancelled : at <= wanted; at++) {
    call.write(`${version} ${at}`);
    if (wanted === 0) await Bun.sleep(TICK_MS);
  }
  call.end();
}
