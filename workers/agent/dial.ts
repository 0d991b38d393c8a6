// `davit agent dial control|http`: joins standard input and output to one of the agent's sockets. For hosts whose sshd forbids
// forwarding: it runs as the user davit at the other end of an SSH channel.

import { createConnection } from "node:net";

/** Resolves with the exit code once either side has ended. */
export function dial(socketPath: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    socket.on("connect", () => {
      process.stdin.pipe(socket);
      socket.pipe(process.stdout);
    });
    socket.on("close", () => resolve(0));
    socket.on("error", (error) => {
      process.stderr.write(`davit: connect to the agent: ${error.message}\n`);
      resolve(1);
    });
  });
}
