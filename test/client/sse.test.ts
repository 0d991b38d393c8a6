// Server-sent events as the client reads them.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { EventParser, type ServerEvent } from "../../src/client/sse.ts";

const TEXT = ': open\n\nid: 7\nevent: event\ndata: {"a":"line\\n\\nbreak"}\n\n: alive\n\nevent: end\ndata: {}\n\n';

test("events come out whole however the bytes were cut, comments are dropped", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: TEXT.length }), { maxLength: 8 }), (cuts) => {
      const parser = new EventParser();
      const ends = [...cuts, TEXT.length].sort((a, b) => a - b);
      let from = 0;
      const events: ServerEvent[] = [];
      for (const end of ends) {
        events.push(...parser.push(TEXT.slice(from, end)));
        from = end;
      }
      expect(events).toEqual([
        { event: "event", data: { a: "line\n\nbreak" }, id: "7" },
        { event: "end", data: {} },
      ]);
    }),
  );
});
