// The keys of x-davit at a service and at the top of the file: those that work, and those that are known to come. Pure data.

import { type KeyTable, under, v } from "../keys/verdict.ts";

const X = "services.*.x-davit";

export const X_DAVIT_KEYS: KeyTable = {
  [`${X}.health`]: v("davit", "a check by HTTP or TCP from the node's agent"),
  ...under(`${X}.health`, v("davit"), "http tcp interval timeout retries start_period start_interval"),
  ...under(`${X}.health.http`, v("davit"), "port path"),
  [`${X}.health.tcp.port`]: v("davit"),
  [`${X}.settle`]: v("davit", "how long a task without a check must run to count as healthy; 1s"),
  [`${X}.on_lease_lost`]: v("davit", "keep; stop comes with a fence on the node"),
  [`${X}.affinity`]: v("davit", "nodes that have tasks of these services; required: true for nothing else"),
  [`${X}.anti_affinity`]: v("davit", "nodes that have no task of these services; required: true for nothing else"),
  ...under(`${X}.affinity`, v("davit"), "service required"),
  ...under(`${X}.anti_affinity`, v("davit"), "service required"),
  [`${X}.with`]: v("davit", "each slot on the node of that service's slot of the same number"),
  [`${X}.priority`]: v("davit", "0–1000, 0 unless given: higher ones are placed first"),
  [`${X}.preempt`]: v("davit", "waiting tasks may end tasks of lower priority"),
  [`${X}.strategy`]: v("davit", "spread, the default: the emptiest node; binpack: the fullest that has room"),
  [`${X}.schedule`]: v("davit", "a cron rule of five fields, or six with seconds first; makes the service a job"),
  ...under(`${X}.schedule`, v("davit"), "cron"),
  [`${X}.schedule.timezone`]: v("davit", "UTC unless given"),
  [`${X}.after`]: v("davit", "jobs that must succeed first, each time; makes the service a job"),
  [`${X}.job`]: v("davit", "how its runs are to be; makes the service a job"),
  [`${X}.job.completions`]: v("davit", "how many of its tasks must succeed; deploy.replicas are how many at once"),
  [`${X}.job.overlap`]: v("davit", "when one is due while another runs: forbid (the default), allow, replace"),
  [`${X}.job.starting_deadline`]: v("davit", "how late a run may begin; 1h"),
  [`${X}.job.timeout`]: v("davit", "a run that takes longer fails; none unless given"),
  [`${X}.job.history`]: v("davit", "ended runs that are kept, with their logs; 10"),
  [`${X}.balance`]: v("davit", "random, the default; client: one client always at the same task"),
  [`${X}.drain`]: v("davit", "how long open connections may go on when a task is stopped; 30s, at most 1h"),
  [`${X}.policy`]: v("davit", "who may call which port; absent: every service that shares a network, every port"),
  ...under(`${X}.policy`, v("davit"), "from ports"),
  ...under(X, v("not yet"), "ingress lease replace_after scale"),
  "x-davit.ingress": v("not yet"),
};
