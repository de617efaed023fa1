/**
 * What a hub knows of the event numbers of one incarnation of a host, which count from 1 without gaps.
 *
 * `acked` is the number up to which all is stored or known to be lost, `skipped` how many of those were lost. An agent's
 * bounded queue drops its oldest events and counts them since its start; `droppedNow` is that count as it last was, and
 * `droppedBefore` what earlier starts had dropped.
 */
export interface EventLedger {
  readonly acked: number
  readonly skipped: number
  readonly droppedBefore: number
  readonly droppedNow: number
  /** How many events are stored, and the highest number among them. */
  readonly count: number
  readonly max: number
}

export const emptyLedger: EventLedger = { acked: 0, skipped: 0, droppedBefore: 0, droppedNow: 0, count: 0, max: 0 }

/** Event numbers that should be there and are not: lost for good, or still on their way. */
export const missingEvents = (ledger: EventLedger): number => ledger.max - ledger.count

/** Takes the agent's count of dropped events; a count that fell says that the agent was started again. */
export const withDropped = (ledger: EventLedger, dropped: number): EventLedger => ({
  ...ledger,
  droppedBefore: dropped < ledger.droppedNow ? ledger.droppedBefore + ledger.droppedNow : ledger.droppedBefore,
  droppedNow: dropped
})

/**
 * Takes newly stored events, and moves `acked` on. `pending` are all stored numbers above `acked`, `added` those that were not
 * stored before; both ascending.
 *
 * A gap is passed only as far as the agent admits to have dropped that many events, since acknowledging past it makes the
 * agent forget what it may still hold.
 */
export const acknowledge = (
  ledger: EventLedger,
  pending: ReadonlyArray<number>,
  added: ReadonlyArray<number>
): EventLedger => {
  const lossesAdmitted = ledger.droppedBefore + ledger.droppedNow
  // What was passed as lost may still arrive, out of order.
  let skipped = ledger.skipped - added.filter((seq) => seq <= ledger.acked).length
  let acked = ledger.acked
  for (const seq of pending) {
    const gap = seq - acked - 1
    if (skipped + gap > lossesAdmitted) break
    skipped += gap
    acked = seq
  }
  return {
    ...ledger,
    acked,
    skipped,
    count: ledger.count + added.length,
    max: Math.max(ledger.max, added.at(-1) ?? 0)
  }
}

/**
 * After the store was set back to a backup, its own later copy had acknowledged events that this one never saw, and the agent
 * forgot them. `oldestHeld` is the oldest number that the agent still holds: all below it went to the store of then. They count
 * as received, and `forgotten` says how many they are.
 */
export const resumed = (
  ledger: EventLedger,
  stored: ReadonlyArray<number>,
  oldestHeld: number
): { readonly ledger: EventLedger; readonly forgotten: number } => {
  const acked = Math.max(ledger.acked, oldestHeld - 1)
  const forgotten = acked - ledger.acked - stored.filter((seq) => seq > ledger.acked && seq <= acked).length
  return {
    ledger: { ...ledger, acked, count: ledger.count + forgotten, max: Math.max(ledger.max, acked) },
    forgotten
  }
}
