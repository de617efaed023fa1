import type { Asked } from "../Destruction.ts"
import type { Stage, Watch } from "../Stage.ts"

const minute = 60_000
/** Far more than any work of one moment takes. */
const mostTurns = 20_000
/** A task that ends at once is looked at ten times a second, and two calls are in flight at most. */
const mostRequests = 2400
/** Five seconds is the shortest pause; what operators must hear at once comes beside it. */
const mostReports = 40

/** It starts a guest that does not stay up after longer and longer pauses: by half a minute, a minute, two and four. */
const startsWithin = 5 * minute
const mostStarts = 5

/** The longest pause that a hub can ask for takes a tenth more at most. */
const longestSilence = 70 * minute

/** What a life of the agent does not know from itself does not count, nor does what it did before its clock was set. */
const startCounter = () => {
  const starts = new Map<string, ReadonlyArray<number>>()
  let life = 0
  let offset = 0
  return ({ ledger, lives, timeline }: Stage, { method, path }: Asked) => {
    if (method !== "POST" || !path.endsWith("/status/start")) return
    if (lives !== life || timeline.offset !== offset) starts.clear()
    life = lives
    offset = timeline.offset
    const late = [...starts.get(path) ?? [], timeline.elapsed].filter((at) => timeline.elapsed - at < startsWithin)
    starts.set(path, late)
    if (late.length > mostStarts) ledger.violated("I14", `${late.length} starts within five minutes: ${path}`)
  }
}

/**
 * I14: the agent neither ends by itself nor goes in circles, whoever is away, never stands still, and ends when it is asked to; held
 * against each turn, request and report, and whenever nobody can go on.
 */
export const watch = (): Watch => {
  const counter = (most: number, what: string) => {
    let since = 0
    let count = 0
    return ({ ledger, timeline }: Stage) => {
      if (timeline.elapsed - since >= minute) {
        since = timeline.elapsed
        count = 0
      }
      count += 1
      if (count > most) ledger.violated("I14", `${count} ${what} within a minute`)
    }
  }
  const requests = counter(mostRequests, "requests to Proxmox")
  const starts = startCounter()
  let askedAt = 0
  return {
    request: (stage, asked) => {
      askedAt = stage.timeline.elapsed
      requests(stage)
      starts(stage, asked)
    },
    report: counter(mostReports, "reports"),
    turned: ({ ledger, timeline }) => {
      if (timeline.turnsNow > mostTurns) ledger.violated("I14", "it goes in circles without any time passing")
    },
    still: ({ ledger }) => ledger.violated("I14", "it stands still: it waits for no time, no answer and nobody"),
    calm: ({ ledger, timeline }) => {
      const since = timeline.elapsed - askedAt
      if (since > longestSilence) {
        ledger.violated("I14", `it has looked at nothing for ${Math.round(since / minute)} min`)
      }
    },
    lingered: ({ ledger }) => ledger.violated("I14", "it was asked to end, and had to be killed"),
    exited: ({ ledger }, why) => ledger.violated("I14", `the agent ended by itself: ${why.slice(0, 300)}`)
  }
}
