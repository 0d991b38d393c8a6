// What agents say to each other about their own tasks, one JSON text per line. Opening: the listener sends `challenge`, the speaker
// `speak`, the listener `heard`; then the speaker sends `ready`, each of which is answered with `heard`. Limits on all of it. Pure.

/** TCP port on each node's mesh address. */
export const PEER_PORT = 7_375;
/** The largest line: a list of the most tasks that are listened to. */
export const MAX_PEER_FRAME_BYTES = 256 * 1024;
export const MAX_PEER_TASKS = 4_096;
/** Longer no token of an agent is. */
export const MAX_PEER_TOKEN_CHARS = 4_096;
/** The scope of a speaker's token. */
export const PEER_SCOPE = "peer:ready";

/** `nonce` must come back inside the speaker's token. */
export type PeerChallenge = { readonly type: "challenge"; readonly nonce: string };
/** `token`: JWT signed by the speaker's own key: iss = its node id, aud = the listener's, scope PEER_SCOPE, claim challenge. */
export type PeerSpeak = { readonly type: "speak"; readonly token: string };
/** Ids of all of the speaker's tasks that are ready; every other one of its is not. */
export type PeerReady = { readonly type: "ready"; readonly tasks: readonly string[] };
export type PeerHeard = { readonly type: "heard" };

export type PeerFrame = PeerChallenge | PeerSpeak | PeerReady | PeerHeard;

const TASK_ID = /^[0-9a-z]{25}$/;

/** The tasks of a `ready` frame as it came over the wire; undefined when it is none, or too much. */
export function readyTasks(frame: { readonly type: string }): ReadonlySet<string> | undefined {
  if (frame.type !== "ready") return undefined;
  const { tasks } = frame as { readonly tasks?: unknown };
  if (!Array.isArray(tasks) || tasks.length > MAX_PEER_TASKS) return undefined;
  return tasks.every((id): id is string => typeof id === "string" && TASK_ID.test(id)) ? new Set(tasks) : undefined;
}

/** The text of one field of a frame; undefined when there is none, or too much. */
export function textIn(frame: object, field: "nonce" | "token"): string | undefined {
  const text = (frame as Readonly<Record<string, unknown>>)[field];
  return typeof text === "string" && text.length <= MAX_PEER_TOKEN_CHARS ? text : undefined;
}
