// A command in a task's container, over a websocket of exec frames.

import { DavitError } from "../core/model/errors.ts";
import { EXEC_FRAME, encodeExecFrame, ExecFrameDecoder } from "../core/protocol/exec-frames.ts";
import type { Transport } from "./transport.ts";
import type { ExecQuery, ExecStream } from "./types.ts";
import { openWebSocket, upgradeHeaders } from "./websocket.ts";

/** A large write goes out in frames of this size. */
const CHUNK_BYTES = 64 * 1024;

/** Opens the stream; rejects with DavitError when the server refuses. */
export async function openExec(transport: Transport, ref: string, query: ExecQuery): Promise<ExecStream> {
  const { argv, tty, cols, rows, user, workingDir } = query;
  const entries = Object.entries({
    argv: JSON.stringify(argv),
    tty: tty ? "1" : "0",
    cols,
    rows,
    user,
    workdir: workingDir,
  });
  const parameters = new URLSearchParams(
    entries.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]])),
  );
  const path = `/v1/tasks/${encodeURIComponent(ref)}/exec?${parameters.toString()}`;
  const { socket, head } = await transport.upgrade({ method: "GET", path, headers: upgradeHeaders() });
  const output = new Output();
  const decoder = new ExecFrameDecoder();
  const websocket = openWebSocket(socket, head, {
    onMessage: (bytes) => {
      for (const frame of decoder.push(bytes)) output.receive(frame.type, frame.payload);
    },
    onClose: (reason) => output.closed(reason),
  });
  return {
    write: (bytes) => {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
        websocket.send(encodeExecFrame(EXEC_FRAME.stdin, bytes.subarray(at, at + CHUNK_BYTES)));
    },
    end: () => websocket.send(encodeExecFrame(EXEC_FRAME.stdin, new Uint8Array())),
    resize: (columns, lines) =>
      websocket.send(encodeExecFrame(EXEC_FRAME.resize, encodeJson({ cols: columns, rows: lines }))),
    onOutput: (receive) => output.onOutput(receive),
    exited: output.exited,
    close: () => websocket.close(),
  };
}

function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

type Receive = (stream: "stdout" | "stderr", bytes: Uint8Array) => void;

/** What comes back: output, kept until somebody takes it, and the end. */
class Output {
  readonly exited: Promise<number>;
  #exit: (code: number) => void = () => undefined;
  #fail: (error: DavitError) => void = () => undefined;
  #receive: Receive | undefined;
  #early: Parameters<Receive>[] = [];

  constructor() {
    this.exited = new Promise<number>((resolve, reject) => {
      this.#exit = resolve;
      this.#fail = reject;
    });
    // a caller that only writes must not be ended by a rejection that it does not look at
    this.exited.catch(() => undefined);
  }

  onOutput(receive: Receive): void {
    this.#receive = receive;
    for (const [stream, bytes] of this.#early.splice(0)) receive(stream, bytes);
  }

  receive(type: number, payload: Uint8Array): void {
    if (type === EXEC_FRAME.stdout || type === EXEC_FRAME.stderr) {
      const stream = type === EXEC_FRAME.stdout ? "stdout" : "stderr";
      if (this.#receive === undefined) this.#early.push([stream, payload]);
      else this.#receive(stream, payload);
    } else if (type === EXEC_FRAME.exit) {
      this.#exit((JSON.parse(new TextDecoder().decode(payload)) as { readonly exitCode: number }).exitCode);
    } else if (type === EXEC_FRAME.error) {
      this.#fail(
        new DavitError(
          "engine_failed",
          `exec: ${(JSON.parse(new TextDecoder().decode(payload)) as { readonly message: string }).message}`,
        ),
      );
    }
  }

  /** After an exit or an error this changes nothing. */
  closed(reason: string): void {
    this.#fail(
      new DavitError(
        "unavailable",
        `exec: the connection broke before the command ended${reason === "" ? "" : `: ${reason}`}`,
        { wayOut: "the command may still run in the container" },
      ),
    );
  }
}
