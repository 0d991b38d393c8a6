// Who is sent routes when: at once while it costs nothing, in turns with rests once it costs much.

import { describe, expect, test } from "vitest";
import { RoutesTurns } from "../../src/coordinator/routes-turns.ts";
import { FakeClock } from "../fakes/fake-clock.ts";

/** A clock on which work takes time. */
class WorkClock extends FakeClock {
  #workedMs = 0;

  work(forMs: number): void {
    this.#workedMs += forMs;
  }

  override bootMs(): number {
    return super.bootMs() + this.#workedMs;
  }
}

function sessionsOn(clock: WorkClock, count: number, eachMs: number) {
  const sent: number[] = [];
  const sessions = Array.from({ length: count }, (_, at) => ({
    sendRoutes: () => {
      sent.push(at);
      clock.work(eachMs);
    },
  }));
  return { sent, sessions };
}

describe("routes", () => {
  test("that cost nothing to send are sent at once, each time", () => {
    const clock = new WorkClock();
    const turns = new RoutesTurns(clock);
    const { sent, sessions } = sessionsOn(clock, 3, 1);
    turns.add(sessions);
    turns.add(sessions.slice(0, 1));
    expect(sent).toEqual([0, 1, 2, 0]);
  });

  test("for many nodes are sent some at a time, then rest as long as that took, and whoever asked meanwhile is sent them once", async () => {
    const clock = new WorkClock();
    const turns = new RoutesTurns(clock);
    const { sent, sessions } = sessionsOn(clock, 6, 5);
    turns.add(sessions);
    expect(sent).toEqual([0, 1]);
    await clock.advance(1);
    expect(sent).toEqual([0, 1, 2, 3]);
    turns.add(sessions.slice(5));
    await clock.advance(1);
    expect(sent).toEqual([0, 1, 2, 3, 4, 5]);
    turns.add(sessions.slice(0, 1));
    turns.add(sessions.slice(0, 1));
    await clock.advance(29);
    expect(sent).toHaveLength(6);
    await clock.advance(1);
    expect(sent.slice(6)).toEqual([0]);
    turns.add(sessions.slice(1, 2));
    expect(sent.slice(6)).toEqual([0, 1]);
  });
});
