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

process.exitCode = await main(process.argv.slice(2));
// open handles of libraries must not keep a finished command alive
process.exit();
