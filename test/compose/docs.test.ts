// docs/compose.md says what the code does.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { renderComposePage } from "../../scripts/compose-docs.ts";

test("the table of keys in docs/compose.md is current: bun scripts/compose-docs.ts writes it", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/compose.md"), "utf8");
  expect(page).toBe(renderComposePage(page));
});
