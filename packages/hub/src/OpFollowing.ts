import type { HostEvent } from "@felhom/domain/HostEvent"
import { type OpState, opStateOfEvent } from "@felhom/domain/OpsApi"
import { Sha256Hex } from "@felhom/domain/Sha256"
import { Schema } from "effect"

/** What a host said of one op. */
export interface OpNews {
  readonly op: Sha256Hex
  readonly state: OpState
  readonly message: string
  readonly epoch: string
  readonly seq: number
}

const isHash = Schema.is(Sha256Hex)

/** What these events of one host epoch say of ops, in their order. */
export const opNews = (events: ReadonlyArray<HostEvent>, epoch: string): ReadonlyArray<OpNews> =>
  events.flatMap(({ kind, message, seq, subject }) => {
    const state = opStateOfEvent(kind)
    return state !== undefined && isHash(subject) ? [{ op: subject, state, message, epoch, seq }] : []
  }).toSorted((a, b) => a.seq - b.seq)

/** What an op never leaves again. A refused one may be signed by one more person, and is then another matter. */
const ends: ReadonlySet<OpState> = new Set(["finished", "failed", "unknown"])

/** Whether the news change what is known of the op: reports come twice, late and out of order. */
export const isNews = (
  known: { readonly state: OpState; readonly eventEpoch: string | null; readonly eventSeq: number | null },
  news: OpNews
): boolean =>
  !ends.has(known.state) && (known.eventEpoch !== news.epoch || known.eventSeq === null || news.seq > known.eventSeq)
