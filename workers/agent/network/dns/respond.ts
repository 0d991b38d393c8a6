// One question as bytes → one answer as bytes, or the word that the host's resolvers must be asked. Knows the form of messages (RFC 1035, the
// size of EDNS); what a name means is the zone's. Pure.

import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import type { Asker, Zone, ZoneRecord } from "./zone.ts";

/** Seconds. Short: what is ready changes, and the resolver is near. */
const TTL = 3;
const HEADER_BYTES = 12;
/** In the third byte: anything but an ordinary question. */
const OPCODE_BITS = 0x78;
/** Without EDNS, and the most with it: beyond, packets are split on the way, and lost where that is filtered. */
const PLAIN_BYTES = 512;
const EDNS_BYTES = 1_232;
const CODES = { noError: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;
type Code = (typeof CODES)[keyof typeof CODES];

/** `isNegative`: there is no such name; a resolver that is not the asker's own lets that one say so first. */
export type Response =
  | { readonly kind: "reply"; readonly bytes: Uint8Array; readonly isNegative: boolean }
  | { readonly kind: "forward" }
  | { readonly kind: "drop" };

/** Answers of one zone that may be given again as they are, whoever of a scope asks; emptied when it is full. */
const KEPT_ANSWERS = 8_192;
/** What is longer is no ordinary question, and is not kept. */
const KEPT_QUERY_BYTES = 128;

/** Answers from one zone; over UDP a question that was asked before, byte for byte but its number, costs no more than a look. */
export class Responder {
  readonly #zone: Zone;
  readonly #kept = new Map<string, { readonly bytes: Buffer; readonly isNegative: boolean }>();

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  respond(asker: Asker, query: Uint8Array, over: "udp" | "tcp"): Response {
    const canKeep =
      over === "udp" && "scope" in asker && query.length <= KEPT_QUERY_BYTES && query.length > HEADER_BYTES;
    if (!canKeep) return respond(this.#zone, asker, query, over);
    const view = Buffer.from(query.buffer, query.byteOffset, query.length);
    const key = asker.scope + view.toString("latin1", 2);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      const bytes = Buffer.from(kept.bytes);
      view.copy(bytes, 0, 0, 2);
      return { kind: "reply", bytes, isNegative: kept.isNegative };
    }
    const response = respond(this.#zone, asker, query, over);
    // with several records their order changes each time
    if (response.kind !== "reply" || (response.bytes[7] ?? 2) > 1) return response;
    if (this.#kept.size >= KEPT_ANSWERS) this.#kept.clear();
    this.#kept.set(key, { bytes: Buffer.from(response.bytes), isNegative: response.isNegative });
    return response;
  }
}

/** `over`: tcp answers are never cut short. */
export function respond(zone: Zone, asker: Asker, query: Uint8Array, over: "udp" | "tcp"): Response {
  if (query.length < HEADER_BYTES || ((query[2] ?? 0) & 0x80) !== 0) return { kind: "drop" };
  let packet: DecodedPacket;
  try {
    packet = decode(Buffer.from(query.buffer, query.byteOffset, query.length));
  } catch {
    return reply(bareHeader(query), CODES.formatError);
  }
  const [question, second] = packet.questions ?? [];
  if (((query[2] ?? 0) & OPCODE_BITS) !== 0) return reply(packet, CODES.notImplemented);
  if (question === undefined || second !== undefined) return reply(packet, CODES.formatError);
  if (asker.kind === "outside" || (question.class ?? "IN") !== "IN") return reply(packet, CODES.refused);
  const answer = zone.answer(asker, question.name.toLowerCase(), question.type);
  if (answer.kind === "unknown") return { kind: "forward" };
  // it may be known in a moment: a failure is asked again, and elsewhere
  if (asker.kind === "stranger") return reply(packet, CODES.serverFailure);
  if (answer.kind === "absent") return reply(packet, CODES.noSuchName);
  return reply(packet, CODES.noError, toAnswers(answer.records, question), toAnswers(answer.additional), over);
}

/** For a question that cannot be answered just now: resolvers of the host that do not answer, or too much under way. */
export function failureFor(query: Uint8Array): Uint8Array {
  try {
    return encoded(decode(Buffer.from(query)), CODES.serverFailure, [], [], false);
  } catch {
    return encoded(bareHeader(query), CODES.serverFailure, [], [], false);
  }
}

function reply(
  packet: Pick<DecodedPacket, "id" | "flags" | "questions" | "additionals">,
  code: Code,
  answers: readonly Answer[] = [],
  additionals: readonly Answer[] = [],
  over: "udp" | "tcp" = "tcp",
): Response {
  const whole = encoded(packet, code, answers, additionals, false);
  const isNegative = code === CODES.noSuchName;
  if (over === "tcp" || whole.length <= roomOf(packet)) return { kind: "reply", bytes: whole, isNegative };
  return { kind: "reply", bytes: encoded(packet, code, [], [], true), isNegative };
}

function roomOf({ additionals = [] }: Pick<DecodedPacket, "additionals">): number {
  const options = additionals.find((record) => record.type === "OPT");
  return options === undefined ? PLAIN_BYTES : Math.min(EDNS_BYTES, Math.max(PLAIN_BYTES, options.udpPayloadSize));
}

function encoded(
  {
    id,
    flags = 0,
    questions = [],
    additionals: asked = [],
  }: Pick<DecodedPacket, "id" | "flags" | "questions" | "additionals">,
  code: Code,
  answers: readonly Answer[],
  additionals: readonly Answer[],
  isCut: boolean,
): Uint8Array {
  const isExtended = asked.some((record) => record.type === "OPT");
  const options: readonly Answer[] = isExtended
    ? [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize: EDNS_BYTES,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ]
    : [];
  return encode({
    type: "response",
    ...(id === undefined ? {} : { id }),
    flags:
      AUTHORITATIVE_ANSWER |
      (flags & RECURSION_DESIRED) |
      RECURSION_AVAILABLE |
      (isCut ? TRUNCATED_RESPONSE : 0) |
      code,
    questions: [...questions],
    answers: [...answers],
    additionals: [...additionals, ...options],
  });
}

/** As much of a damaged question as an answer to it needs. */
function bareHeader(query: Uint8Array): Pick<DecodedPacket, "id" | "flags" | "questions" | "additionals"> {
  const id = ((query[0] ?? 0) << 8) | (query[1] ?? 0);
  return { id, flags: (query[2] ?? 0) << 8, questions: [], additionals: [] };
}

/** Names as they were asked for, in their own case: some resolvers compare. */
function toAnswers(records: readonly ZoneRecord[], question?: Question): readonly Answer[] {
  return records.map((record): Answer => {
    const name = question?.name ?? record.name;
    switch (record.type) {
      case "A":
        return { type: "A", name, ttl: TTL, class: "IN", data: record.address };
      case "PTR":
        return { type: "PTR", name, ttl: TTL, class: "IN", data: record.target };
      case "SRV":
        return {
          type: "SRV",
          name,
          ttl: TTL,
          class: "IN",
          data: { ...srvWeights, port: record.port, target: record.target },
        };
    }
  });
}

const srvWeights = { priority: 0, weight: 100 } as const;
