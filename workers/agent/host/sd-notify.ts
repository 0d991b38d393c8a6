// Words to systemd over NOTIFY_SOCKET (sd_notify(3)): a datagram on a unix socket, which neither Bun nor node:dgram can send, so by libc.
// Without systemd nothing happens.

import { dlopen, FFIType, ptr } from "bun:ffi";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

export interface SdNotify {
  /** READY=1: the agent's sockets answer. */
  ready(): void;
  status(text: string): void;
  /** WATCHDOG=1: the main loop is alive. */
  alive(): void;
  stopping(): void;
}

/** `socketPath`: of NOTIFY_SOCKET; a leading @ means an abstract socket. */
export function createSdNotify(socketPath: string | undefined): SdNotify {
  const send = socketPath === undefined || socketPath === "" ? () => {} : sender(socketPath);
  return {
    ready: () => send("READY=1"),
    status: (text) => send(`STATUS=${text.replaceAll("\n", " ")}`),
    alive: () => send("WATCHDOG=1"),
    stopping: () => send("STOPPING=1"),
  };
}

function sender(socketPath: string): (text: string) => void {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    sendto: {
      args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
      returns: FFIType.i64,
    },
  });
  const socket = symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const address = socketAddress(socketPath);
  return (text) => {
    const bytes = Buffer.from(text);
    symbols.sendto(socket, ptr(bytes), bytes.length, 0, ptr(address), address.length);
  };
}

/** struct sockaddr_un: family, then the path; an abstract name begins with a zero byte and has no end mark. */
export function socketAddress(path: string): Buffer {
  const isAbstract = path.startsWith("@");
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, name]);
}
