import type { HostReport } from "@felhom/domain/HostReport"
import type { Held } from "./IngestStatements.ts"
import type { Trend } from "./Trend.ts"

/** What is stored of a host's last numbered report, as far as the next one needs it that brings no event. */
export interface LastReport {
  readonly epoch: string
  readonly sequence: number
  readonly inventoryHash: string | null
  readonly hasInventory: boolean
  readonly acked: number
  readonly dropped: number
  readonly trend: Trend
}

/** Remembers in memory what was just written, so that the next report need not read it again. Only Ingest writes these rows. */
export interface LastReports {
  /**
   * What is remembered, if this report is simply the next one: of the same incarnation, newer, and with nothing to tell. It is
   * forgotten with that: a write that fails leaves the store to be asked.
   */
  readonly take: (report: HostReport) => LastReport | undefined
  /** Remembers a report that was just stored, with what was held before it. */
  readonly keep: (
    report: HostReport,
    acked: number,
    before: Pick<Held, "inventoryHash">,
    trend: Trend
  ) => void
  /** The same after one that was taken by what is remembered. */
  readonly follow: (report: HostReport, before: LastReport, trend: Trend) => void
}

/** So many hosts are remembered; beyond that all are read anew. */
const kept = 20_000

export const make = (): LastReports => {
  const hosts = new Map<string, LastReport>()
  const keep: LastReports["keep"] = (report, acked, before, trend) => {
    const { eventsDropped, host: { epoch, id }, inventory, inventoryHash, sequence } = report
    if (sequence === null) return
    if (hosts.size >= kept) hosts.clear()
    hosts.set(id, {
      epoch,
      sequence,
      inventoryHash: inventory === null ? before.inventoryHash : inventoryHash,
      hasInventory: inventory !== null,
      acked,
      dropped: eventsDropped,
      trend
    })
  }
  return {
    take: ({ events, eventsDropped, host: { epoch, id }, sequence }) => {
      const last = hosts.get(id)
      hosts.delete(id)
      const isNext = last !== undefined && sequence !== null && events.length === 0 && last.epoch === epoch &&
        sequence > last.sequence && last.dropped === eventsDropped
      return isNext ? last : undefined
    },
    keep,
    follow: (report, before, trend) => keep(report, before.acked, before, trend)
  }
}
