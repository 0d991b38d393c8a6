// A job's schedule to the fields of a CronJob. Pure.

import type { Overlap } from "../core/model/job.ts";
import type { ServiceContext } from "./context.ts";
import { type Fields, seconds } from "./manifest.ts";

const CONCURRENCY: Readonly<Record<Overlap, string>> = { forbid: "Forbid", allow: "Allow", replace: "Replace" };
/** Kubernetes looks at schedules this often: a shorter deadline would miss runs. */
const LOOK_S = 10;
/** Last days, nearest weekdays, n-th weekdays: rules that Kubernetes does not read. */
const UNREAD = /[#?]|(^|[\s,\d])L|\dW/i;
const FIELDS = 5;
/** Of a CronJob that waits for a person. */
const NEVER = "0 0 1 1 *";

/** Undefined for a job without a schedule. */
export function scheduleOf({ spec, note }: ServiceContext): Fields | undefined {
  const { job } = spec;
  if (job !== undefined && job.after.length > 0)
    note(
      "x-davit.after",
      `${job.after.join(", ")}: Kubernetes does not put jobs in order: it runs at once`,
      "use a workflow engine, or wait in an initContainer",
    );
  if (job?.schedule === undefined) return undefined;
  const { cron, timezone } = job.schedule;
  const words = cron.trim().split(/\s+/);
  if (words.length > FIELDS)
    note("x-davit.schedule", `'${cron}': Kubernetes has no seconds: it runs at the full minute`, "leave them out");
  const rule = words.slice(-FIELDS).join(" ");
  const isRead = words.length >= FIELDS && !UNREAD.test(rule);
  if (!isRead)
    note(
      "x-davit.schedule",
      `'${cron}' is no rule that Kubernetes reads: it is suspended`,
      "write it with numbers, * , - and /",
    );
  return {
    schedule: isRead ? rule : NEVER,
    timeZone: timezone,
    suspend: isRead ? undefined : true,
    concurrencyPolicy: CONCURRENCY[job.overlap],
    startingDeadlineSeconds: Math.max(LOOK_S, seconds(job.startingDeadlineMs)),
    successfulJobsHistoryLimit: job.keptRuns,
    failedJobsHistoryLimit: job.keptRuns,
  };
}
