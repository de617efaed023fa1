import type { HttpClient } from "@effect/platform"
import type { SignedBytes } from "@felhom/domain/Envelope"
import type { HostReport } from "@felhom/domain/HostReport"
import { Effect, Option } from "effect"
import { StoryFailed } from "../story/StoryFailed.ts"
import { until } from "../story/Until.ts"
import type { Answer, HostHands, Signing, Stage } from "./Attack.ts"
import type { EvilHub } from "./EvilHub.ts"
import { type Facts, nameOf, opOn, signedBy } from "./Payload.ts"

/** What a host says of itself, asked of itself. */
export interface Truth {
  /** Every guest, its configuration and snapshots, every storage and all that lies on it. */
  readonly all: Effect.Effect<string, StoryFailed, HttpClient.HttpClient>
  /** How many calls that change something reached the host, ever. */
  readonly changes: Effect.Effect<number, StoryFailed, HttpClient.HttpClient>
}

/** Where an agent and an attacker's hub meet. */
export interface Arena {
  readonly hub: EvilHub
  readonly truth: Truth
  readonly hands: Stage["hands"]
  /** The guest that the attacks are about. */
  readonly vmid: number
  /** Null for a real host. */
  readonly host: HostHands | null
  /** Which reports are answered with an attack; all, if it is not said. */
  readonly when?: (report: HostReport) => boolean
}

/** What of a stage is known by a report. */
type StageFacts = Omit<Stage, "hands" | "spent">

/** What is known by a report; none while the agent takes no ops, or the guest does not run. */
export const factsIn = (report: HostReport, vmid: number): Option.Option<StageFacts> => {
  const { host, inventory, trust } = report
  const guests = inventory?.guests.state === "ok" ? inventory.guests.value : []
  const target = guests.find((guest) => guest.vmid === vmid && guest.status === "running")
  const other = guests.find((guest) => guest.vmid !== vmid && guest.config.state === "ok")
  return trust == null || target === undefined || other === undefined
    ? Option.none()
    : Option.some({ host: host.id, epoch: host.epoch, now: Date.now(), trust, target, other })
}

const eventsAfter = (hub: EvilHub, count: number) => hub.reports().slice(count).flatMap(({ events }) => events)

/** An event after the first so many reports; when none comes, what was said instead. */
export const untilEvent = (
  hub: EvilHub,
  count: number,
  what: string,
  holds: (event: HostReport["events"][number]) => boolean
): Effect.Effect<HostReport["events"][number], StoryFailed> =>
  Effect.mapError(
    until(what, Effect.sync(() => Option.fromNullable(eventsAfter(hub, count).find(holds)))),
    ({ message }) => {
      const said = eventsAfter(hub, count).map(({ kind, message }) => `${kind}: ${message}`).join(" | ")
      return new StoryFailed({ message: `${message}; it said: ${said === "" ? "nothing" : said}` })
    }
  )

export const untilReport = (
  hub: EvilHub,
  count: number,
  what: string,
  holds: (report: HostReport) => boolean,
  seconds?: number
): Effect.Effect<HostReport, StoryFailed> =>
  until(what, Effect.sync(() => Option.fromNullable(hub.reports().slice(count).findLast(holds))), seconds)

/** Answers the next report of a host whose guest runs; gives what was made for it, and how many reports had come. */
export const answered = <A extends { readonly answer: Answer }>(
  arena: Pick<Arena, "hub" | "vmid" | "when">,
  make: (facts: StageFacts) => Effect.Effect<A>
): Effect.Effect<A & { readonly count: number }, StoryFailed> =>
  Effect.gen(function*() {
    const { hub, vmid, when = () => true } = arena
    let made: A | undefined
    let fault: unknown
    const count = yield* hub.play((report) =>
      Option.match(Option.filter(factsIn(report, vmid), () => when(report)), {
        onNone: () => Effect.succeedNone,
        onSome: (facts) =>
          Effect.suspend(() => make(facts)).pipe(
            Effect.map((one) => {
              made = one
              return Option.some(one.answer)
            }),
            Effect.catchAllDefect((defect) => {
              fault = defect
              return Effect.succeedSome({ ops: [] })
            })
          )
      })
    ).pipe(Effect.timeoutFail({
      duration: "60 seconds",
      onTimeout: () => {
        const last = hub.reports().at(-1)
        return new StoryFailed({
          message: last === undefined
            ? "waited a minute for a report of the agent, and none came"
            : `waited a minute for a report of guest ${vmid} running, with what an op has to name: the agent's last says ` +
              `${last.trust == null ? "that it takes no signed ops" : "that it does not run"}`
        })
      }
    }))
    return made === undefined
      ? yield* new StoryFailed({ message: `the attack could not be made: ${String(fault)}` })
      : { ...made, count }
  })

const ends = /^op\.(?:finished|failed|unknown|refused)$/

/** Has the host do what its operators signed, to the end: without that, a host that does nothing at all would pass. */
export const obeyed = (
  arena: Arena,
  instead: (facts: Facts) => { readonly [key: string]: unknown },
  ...signers: ReadonlyArray<Signing>
): Effect.Effect<{ readonly signed: SignedBytes; readonly message: string }, StoryFailed> =>
  Effect.gen(function*() {
    const { count, signed } = yield* answered(arena, (facts) =>
      Effect.map(
        signedBy(opOn(facts, { reason: "the operator's own", ...instead(facts) }), ...signers),
        (signed) => ({ signed, answer: { ops: [signed] } })
      ))
    const name = nameOf(signed)
    const end = yield* untilEvent(arena.hub, count, "the operator's own op ends", ({ kind, subject }) =>
      subject === name && ends.test(kind))
    return end.kind === "op.finished"
      ? { signed, message: end.message }
      : yield* new StoryFailed({ message: `the operator's own op was not done: ${end.message}` })
  })
