// Contracts: jobs and their runs.

import { z } from "@hono/zod-openapi";
import { jobDetailSchema, jobSchema } from "../schemas/views.ts";
import { endpoint, number, refParams } from "./endpoint.ts";
import { logQuery } from "./services.ts";

const ref = { params: refParams } as const;

export const listJobs = endpoint({
  method: "get",
  path: "/v1/jobs",
  id: "listJobs",
  summary: "All jobs, by name, with their last run and their next one",
  access: "read",
  query: z.strictObject({ stack: z.exactOptional(z.string()) }),
  answer: z.array(jobSchema),
});

export const getJob = endpoint({
  ...ref,
  method: "get",
  path: "/v1/jobs/{ref}",
  id: "getJob",
  summary: "One job with its kept runs, the newest first",
  access: "read",
  answer: jobDetailSchema,
});

export const runJob = endpoint({
  ...ref,
  method: "post",
  path: "/v1/jobs/{ref}/run",
  id: "runJob",
  summary: "Asks for a run now",
  access: "deploy",
  answer: jobSchema,
});

export const suspendJob = endpoint({
  ...ref,
  method: "post",
  path: "/v1/jobs/{ref}/suspend",
  id: "suspendJob",
  summary: "Starts no run by itself any more; one under way goes on",
  access: "deploy",
  answer: jobSchema,
});

export const resumeJob = endpoint({
  ...ref,
  method: "post",
  path: "/v1/jobs/{ref}/resume",
  id: "resumeJob",
  summary: "Starts runs by itself again, from now on",
  access: "deploy",
  answer: jobSchema,
});

export const getJobLogs = endpoint({
  ...ref,
  method: "get",
  path: "/v1/jobs/{ref}/logs",
  id: "getJobLogs",
  summary: "Lines of all tasks of one run, the newest unless told: events `log` and `note`",
  access: "read",
  query: logQuery.extend({ run: number("of this run") }),
  stream: true,
  answer: z.string(),
});
