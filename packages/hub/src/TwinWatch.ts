import type { HostReport } from "@felhom/domain/HostReport"
import { Context, Effect, Layer } from "effect"

/**
 * Notices two agents that report with one identity: a host's disk was copied, with its key and its host id. It remembers in
 * memory only: two that go on will show themselves again within a few reports.
 */
export class TwinWatch extends Context.Tag("felhom/hub/TwinWatch")<TwinWatch, {
  /** Says why these must be two, or nothing. `digest` stands for the report's exact bytes; `now` by the hub's clock. */
  readonly look: (report: HostReport, digest: string, now: number) => string | undefined
  readonly forget: (host: string) => Effect.Effect<void>
}>() {}

interface Trace {
  /** The lives that reported, an epoch with a boot each, in the order in which each spoke last. */
  readonly lives: ReadonlyArray<string>
  readonly epoch: string
  readonly sequence: number
  readonly digest: string
  /** When a report was older than the one before it, though not the same one again. */
  readonly falls: ReadonlyArray<number>
}

/** A host whose disk was set back falls once. */
const fallsOfTwins = 3
const hour = 3_600_000
const livesKept = 16
const hostsKept = 20_000

const lifeOf = ({ host }: HostReport): string => `${host.epoch} ${host.bootId ?? ""}`

const sentence = (why: string): string =>
  `two agents report with this host's identity (${why}): was its disk copied? Neither is served. Stop one, give the copy ` +
  "a state folder of its own, then felhom reset this host"

/** A boot or an incarnation never speaks again once another one has spoken. */
const returned = (trace: Trace, life: string): boolean => trace.lives.at(-1) !== life && trace.lives.includes(life)

const next = (
  trace: Trace | undefined,
  report: HostReport,
  life: string,
  sequence: number,
  digest: string,
  now: number
): Trace => {
  const base = { epoch: report.host.epoch, sequence, digest }
  if (trace === undefined) return { ...base, lives: [life], falls: [] }
  const again = trace.digest === digest
  const fell = !again && trace.epoch === report.host.epoch && sequence <= trace.sequence
  return {
    ...base,
    // Nearly always both are what they were.
    lives: trace.lives.at(-1) === life
      ? trace.lives
      : [...trace.lives.filter((other) => other !== life), life].slice(-livesKept),
    falls: trace.falls.length === 0 && !fell
      ? trace.falls
      : [...trace.falls.filter((at) => now - at < hour), ...(fell ? [now] : [])]
  }
}

export const layer: Layer.Layer<TwinWatch> = Layer.sync(TwinWatch, () => {
  const traces = new Map<string, Trace>()
  return {
    look: (report, digest, now) => {
      const { host, sequence } = report
      // One-off reports come from a second program on the same host.
      if (sequence === null) return undefined
      const life = lifeOf(report)
      const before = traces.get(host.id)
      const after = next(before, report, life, sequence, digest, now)
      if (before === undefined && traces.size >= hostsKept) traces.clear()
      traces.set(host.id, after)
      if (before !== undefined && before.digest !== digest && returned(before, life)) {
        return sentence("an earlier boot speaks again")
      }
      return after.falls.length >= fallsOfTwins
        ? sentence(`its report numbers went back ${after.falls.length} times within an hour`)
        : undefined
    },
    forget: (host) => Effect.sync(() => traces.delete(host))
  }
})
