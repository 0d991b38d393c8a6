// Frames on the wire: what was sent is what is read, and routes, which are put together from sections encoded before, are no exception.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Routes } from "../../../src/core/model/routes.ts";
import { encodeFrame, FrameDecoder } from "../../../src/core/protocol/codec.ts";
import type { RoutesFrame } from "../../../src/core/protocol/frames.ts";

type Section = Routes["sections"][string];

/** The wire carries a section whatever is in it. */
const anySection = fc.record({ hash: fc.string(), content: fc.jsonValue() }) as unknown as fc.Arbitrary<Section>;
const position = { epoch: 3, generation: 17 };

test("routes are read as they were sent, whatever their sections hold and however often a section was sent before", () => {
  const anyPut = fc.dictionary(fc.string({ unit: "grapheme" }), anySection, { maxKeys: 4, noNullPrototype: true });
  const anyDelta = fc.record(
    {
      put: anyPut,
      drop: fc.array(fc.string()),
      base: fc.constant({ epoch: 3, generation: 16 }),
      more: fc.constant(true),
    },
    { requiredKeys: ["put", "drop"] },
  );
  fc.assert(
    fc.property(fc.array(anyDelta, { minLength: 1, maxLength: 3 }), (deltas) => {
      const frames = deltas.map(({ more, ...delta }): RoutesFrame => {
        const frame = { type: "routes" as const, delta: { ...position, ...delta } };
        return more === true ? { ...frame, more } : frame;
      });
      // the second time with the same sections in frames of their own
      for (const frame of [...frames, ...frames.map((one) => ({ ...one, delta: { ...one.delta, generation: 18 } }))]) {
        const [read] = new FrameDecoder().push(encodeFrame(frame));
        expect(read).toEqual(JSON.parse(JSON.stringify(frame)));
      }
    }),
  );
});

test("routes without any section are a frame too", () => {
  const frame: RoutesFrame = { type: "routes", delta: { ...position, put: {}, drop: [] } };
  expect(new FrameDecoder().push(encodeFrame(frame))).toEqual([frame]);
});
