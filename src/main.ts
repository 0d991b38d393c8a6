// Chooses the role: coordinator (up), agent, or command line. Everything heavy is imported only by the role that needs it.

import process from "node:process";

async function main(argv: readonly string[]): Promise<number> {
  switch (argv[0]) {
    case "up": {
      const { runCoordinator } = await import("./coordinator/main.ts");
      return await runCoordinator(argv.slice(1));
    }
    case "agent": {
      const { runAgent } = await import("../workers/agent/main.ts");
      return await runAgent(argv.slice(1));
    }
    default: {
      const { runCli } = await import("./cli/main.ts");
      return await runCli(argv);
    }
  }
}

// no top-level await: bytecode, with which a command starts in a quarter of the time, does not allow it.
// Open handles of libraries must not keep a finished command alive.
void main(process.argv.slice(2)).then((code) => process.exit(code));
