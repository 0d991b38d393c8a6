// The calendar of the simulated world: the real one, which is a function of its arguments and the machine's time zones.

import { createCalendar } from "../../../src/system/calendar.ts";

export const nextTick = createCalendar();
