import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostEvent } from "@felhom/domain/HostEvent"
import type { HostReport, Inventory, TrustStatus } from "@felhom/domain/HostReport"
import type { Chance } from "./Chance.ts"
import type { Ledger } from "./Ledger.ts"

type Report = typeof HostReport.Encoded

/** How a hub lies that somebody has taken over. */
export interface Lies {
  /** All ops that there ever were come again and again, in any order, some twice, some with a byte or a signature changed. */
  readonly ops: boolean
  /** Desired states that were in force before, and others of the same version, come again. */
  readonly desired: boolean
  /** It says that it has so many events more than it was sent. */
  readonly ahead: number
  /** Its clock is so many ms off. */
  readonly skew: number
  /** It wants the next report after so many seconds. */
  readonly hurry: number | undefined
  /** It says that it has nothing, each time. */
  readonly forgets: boolean
}

export const honest: Lies = { ops: false, desired: false, ahead: 0, skew: 0, hurry: undefined, forgets: false }

const endKinds: ReadonlyMap<string, string> = new Map([
  ["op.finished", "finished"],
  ["op.failed", "failed"],
  ["op.unknown", "unknown"]
])

/** A byte of a base64 text changed. */
const spoilt = (text: string, chance: Chance): string => {
  const at = chance.below(text.length)
  return `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`
}

interface Submitted {
  readonly payload: string
  readonly signed: SignedBytes
}

/** What operators talk to, and the agent reports to: honest at times. It decides nothing by itself. */
export class Hub {
  lies: Lies = honest
  /** Seconds that it asks for between reports. */
  interval: number
  /** The incarnation of its store. */
  epoch = "e".repeat(32)
  /** Of the last document that it made in this incarnation. */
  version = 0
  /** Of the guests that operators wished to be made. */
  readonly keys: Array<string> = []
  /** The documents of desired states, as they were in force one after the other, in base64. */
  readonly wished: Array<string> = []
  /** Documents of the same versions that nobody applied. */
  readonly forged: Array<string> = []
  /** The guests that any of them names, by their volumes. */
  readonly named = new Set<string>()
  readonly #ledger: Ledger
  readonly #chance: Chance
  readonly #now: () => number
  #submitted: ReadonlyArray<Submitted> = []
  /** What was submitted before: only a hub that lies still hands it out. */
  #old: ReadonlyArray<Submitted> = []
  #acked = 0
  /** Events up to this one are old news. */
  #floor = 0
  #inventoryHash: string | undefined
  report: Report | undefined
  inventory: typeof Inventory.Encoded | undefined
  trust: typeof TrustStatus.Encoded | undefined
  /** Reports that it answered. */
  answers = 0
  /** When the next one is due, by the true time in ms since the epoch. */
  nextAt = 0

  constructor(ledger: Ledger, chance: Chance, now: () => number, interval: number) {
    this.#ledger = ledger
    this.#chance = chance
    this.#now = now
    this.interval = interval
  }

  /** Its store is put back to what it was before anything: it counts anew, as another one. */
  restored(epoch: string): void {
    this.epoch = epoch
    this.version = 0
  }

  submit(payload: string, signed: SignedBytes): void {
    this.#submitted = [...this.#submitted, { payload, signed }]
  }

  /** Another schedule begins: what operators submitted before is over, and of it only what is still known is remembered. */
  anew(isKnown: (payload: string) => boolean): void {
    this.#old = [...this.#old, ...this.#submitted].filter(({ payload }) => isKnown(payload))
    this.#submitted = []
    this.#floor = this.#acked
    const held = this.trust?.desired
    // Nobody let the hosts follow the other store, so it is the one before that is put back.
    if (held !== null && held !== undefined && held.epoch !== this.epoch) {
      this.epoch = held.epoch
      this.version = held.version
    }
  }

  /** Whether the host has said of each op of this schedule that it takes it or that it does not. */
  get isHeard(): boolean {
    const subjects = new Set([...this.#ledger.told.values()].map(({ subject }) => subject))
    return this.#submitted.every(({ payload }) => subjects.has(payload))
  }

  /** Everything that was submitted has come to an end, as far as this hub knows. */
  hasEnded(payload: string): boolean {
    return this.#ledger.ends.has(payload)
  }

  #ops(): ReadonlyArray<SignedBytes> {
    if (!this.lies.ops) {
      return this.#submitted.filter(({ payload }) => !this.#ledger.ends.has(payload)).map(({ signed }) => signed)
    }
    const chance = this.#chance
    return [...this.#old, ...this.#submitted].flatMap(({ signed }) => {
      const all = chance.is(0.3) ? [signed, signed] : [signed]
      if (chance.is(0.2)) all.push({ ...signed, payload: spoilt(signed.payload, chance) })
      if (chance.is(0.2)) {
        all.push({ ...signed, signatures: signed.signatures.map((armored) => spoilt(armored, chance)) })
      }
      if (chance.is(0.2)) all.push({ ...signed, signatures: [...signed.signatures, ...signed.signatures] })
      if (signed.document !== undefined && chance.is(0.4)) {
        all.push({ ...signed, document: spoilt(signed.document, chance) })
      }
      return all
    }).sort(() => chance.next() - 0.5)
  }

  #desired(): string | undefined {
    if (this.lies.desired) return this.#chance.any(this.#chance.is(0.3) ? this.forged : this.wished)
    return this.wished.at(-1)
  }

  #take(event: HostEvent): void {
    const { kind, seq, subject } = event
    if (seq <= this.#floor || this.#ledger.told.has(seq)) return
    this.#ledger.told.set(seq, event)
    this.#ledger.note(`told ${seq} ${kind} ${subject?.slice(0, 16) ?? ""} ${event.message.slice(0, 160)}`)
    const end = endKinds.get(kind)
    if (kind === "op.accepted" && subject !== null) this.#ledger.accepted.add(subject)
    if (end === undefined || subject === null) return
    this.#ledger.ends.set(subject, (this.#ledger.ends.get(subject) ?? new Set()).add(end))
  }

  /** Takes a report, and answers with an envelope. */
  receive(report: Report): string {
    this.report = report
    this.answers += 1
    for (const event of report.events) this.#take(event as HostEvent)
    this.#acked = Math.max(this.#acked, ...report.events.map(({ seq }) => seq), 0)
    if (report.inventory !== null) {
      this.inventory = report.inventory
      this.#inventoryHash = report.inventoryHash
    }
    if (report.trust !== null && report.trust !== undefined) this.trust = report.trust
    const { ahead, forgets, hurry, skew } = this.lies
    const desired = this.#desired()
    this.nextAt = this.#now() + this.interval * 1000
    return JSON.stringify({
      typ: "felhom/envelope/v1",
      host: report.host.id,
      hostEpoch: report.host.epoch,
      serverTime: this.#now() + skew,
      nextReportSeconds: hurry ?? this.interval,
      acked: this.#acked + ahead,
      ...(desired === undefined ? {} : { desired }),
      ops: this.#ops(),
      signers: [],
      ...(forgets || this.#inventoryHash !== report.inventoryHash ? { want: "full" } : {})
    })
  }
}
