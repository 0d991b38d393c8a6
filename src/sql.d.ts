// SQL files are imported as text: Bun does it with `with { type: "text" }`, vitest with a plugin.
declare module "*.sql" {
  const text: string;
  export default text;
}
