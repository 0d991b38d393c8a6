// The bare Bun.serve route that the API is compared with: a process of its own that gives fixed JSON texts over a unix socket.
// Usage: bun bench/bare-server.ts SOCKET <'[["/path", "text"], …]'

const entries = (await Bun.stdin.json()) as readonly (readonly [string, string])[];
const bodies = new Map(entries);

Bun.serve({
  unix: process.argv[2] ?? "",
  fetch: (request) => {
    const body = bodies.get(new URL(request.url).pathname);
    return new Response(body ?? "", {
      status: body === undefined ? 404 : 200,
      headers: { "content-type": "application/json" },
    });
  },
});
console.log("listening");
