import { type AuditHead, AuditLink } from "@felhom/domain/AuditEntry"
import { Crypto } from "@felhom/domain/port/Crypto"
import { Sha256Hex } from "@felhom/domain/Sha256"
import type { EpochMillis } from "@felhom/domain/Time"
import { Effect, Option, Schema } from "effect"
import { decodeInit } from "./DurableLog.ts"
import { parseLog, zerosFrom } from "./LogFormat.ts"

/** The chain is the file `audit.log` in the state folder. */
export const auditLogName = "audit"

/** What is wrong, and with which entry, counted from 1. */
export interface AuditBreak {
  readonly kind: "not-a-chain" | "damaged" | "unreadable" | "changed" | "missing" | "moved" | "truncated" | "other-head"
  /** The entry that is wrong or missing; null when it is the file as a whole. */
  readonly seq: number | null
  readonly detail: string
}

export interface AuditVerdict {
  /** The entries that stand in the file, in their order there. */
  readonly links: ReadonlyArray<AuditLink>
  /** What the file's last readable entry makes of it. */
  readonly head: AuditHead
  /** When the chain was begun; null if that can't be read. */
  readonly madeAt: EpochMillis | null
  /** Empty when the chain is whole. */
  readonly breaks: ReadonlyArray<AuditBreak>
  /** Bytes at the end that were never answered for: a crash cut them off, and the next start drops them. */
  readonly cutOff: number
}

/** What somebody else knows of the chain: from a report, from a copy. */
export interface KnownHead {
  /** The chain had at least so many entries. */
  readonly length: Option.Option<number>
  /** One of its entries, the one of that number if that is known too, had this hash. */
  readonly head: Option.Option<Sha256Hex>
}

export const nothingKnown: KnownHead = { length: Option.none(), head: Option.none() }

const decodeLink = Schema.decodeUnknownOption(Schema.parseJson(AuditLink), { onExcessProperty: "error" })
const text = new TextDecoder("utf-8", { fatal: false })

interface Entry {
  readonly link: AuditLink
  readonly hash: Sha256Hex
}

/** Compares each entry with the one before it: a change shows in the hash that the next one names. */
const walk = (genesis: Sha256Hex, entries: ReadonlyArray<Entry>): ReadonlyArray<AuditBreak> => {
  const breaks: Array<AuditBreak> = []
  let seq = 0
  let hash = genesis
  const seen = new Set<number>()
  for (const { hash: own, link } of entries) {
    const expected = seq + 1
    if (link.seq > expected) {
      const last = link.seq - 1
      breaks.push({
        kind: "missing",
        seq: expected,
        detail: last === expected ? `entry ${expected} is gone` : `entries ${expected} to ${last} are gone`
      })
    } else if (link.seq < expected) {
      breaks.push({
        kind: "moved",
        seq: link.seq,
        detail: seen.has(link.seq)
          ? `entry ${link.seq} stands there twice`
          : `entry ${link.seq} stands behind entry ${seq}`
      })
    } else if (link.previous !== hash) {
      breaks.push(
        seq === 0
          ? { kind: "changed", seq: 1, detail: "entry 1 belongs to another chain" }
          : { kind: "changed", seq, detail: `entry ${seq} is not the one that entry ${link.seq} was written after` }
      )
    }
    seen.add(link.seq)
    seq = link.seq
    hash = own
  }
  return breaks
}

const against = (known: KnownHead, entries: ReadonlyArray<Entry>): ReadonlyArray<AuditBreak> => {
  const length = entries.at(-1)?.link.seq ?? 0
  const wanted = Option.getOrElse(known.length, () => 0)
  if (wanted > length) {
    const gone = wanted === length + 1 ? `entry ${wanted} is gone` : `entries ${length + 1} to ${wanted} are gone`
    return [{ kind: "truncated", seq: length + 1, detail: `${gone}: the chain ends at ${length} and had ${wanted}` }]
  }
  if (Option.isNone(known.head)) return []
  const head = known.head.value
  const found = Option.match(known.length, {
    onNone: () => entries.some(({ hash }) => hash === head),
    onSome: (seq) => entries.some(({ hash, link }) => link.seq === seq && hash === head)
  })
  if (found) return []
  return [
    Option.match(known.length, {
      onNone: (): AuditBreak => ({
        kind: "truncated",
        seq: null,
        detail: `no entry has the hash ${head}: what was written up to then was cut off or changed`
      }),
      onSome: (seq): AuditBreak => ({ kind: "other-head", seq, detail: `entry ${seq} has not the hash ${head}` })
    })
  ]
}

const beginning = (genesis: Sha256Hex): AuditHead => ({ head: genesis, length: 0 })

/**
 * Reads a chain's bytes and says whether they are what was written. Entries that were cut off at the end leave a chain that is
 * whole in itself: only `known` tells.
 */
export const verifyAudit = (
  bytes: Uint8Array,
  known: KnownHead = nothingKnown
): Effect.Effect<AuditVerdict, never, Crypto> =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const { end, records } = parseLog(bytes)
    const [initRecord, ...others] = records
    const init = decodeInit(auditLogName, initRecord)
    if (initRecord === undefined || Option.isNone(init)) {
      const detail = end._tag === "foreign" ? "the file is not a felhom log" : "the beginning of the chain is gone"
      const head = beginning(Sha256Hex.make("0".repeat(64)))
      return { links: [], head, madeAt: null, breaks: [{ kind: "not-a-chain", seq: null, detail }], cutOff: 0 }
    }
    const genesis = yield* crypto.sha256(initRecord)
    const entries: Array<Entry> = []
    const breaks: Array<AuditBreak> = []
    for (const record of others) {
      const link = decodeLink(text.decode(record))
      if (Option.isNone(link)) {
        const seq = (entries.at(-1)?.link.seq ?? 0) + 1
        breaks.push({ kind: "unreadable", seq, detail: `what stands in the place of entry ${seq} is no entry` })
        break
      }
      entries.push({ link: link.value, hash: yield* crypto.sha256(record) })
    }
    breaks.unshift(...walk(genesis, entries))
    const last = entries.at(-1)
    const length = last?.link.seq ?? 0
    if (end._tag === "damaged") {
      breaks.push({
        kind: "damaged",
        seq: length + 1,
        detail: `bytes ${end.offset} to ${end.wholeAgainAt}, where entry ${length + 1} begins, are damaged`
      })
    } else if (breaks.length === 0) breaks.push(...against(known, entries))
    return {
      links: entries.map(({ link }) => link),
      head: last === undefined ? beginning(genesis) : { head: last.hash, length },
      madeAt: init.value.madeAt,
      breaks,
      cutOff: end._tag === "torn" ? zerosFrom(bytes) - end.offset : 0
    }
  })
