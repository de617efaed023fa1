import { Command, Options } from "@effect/cli"
import type { DesiredDetail, DesiredSubmission } from "@felhom/domain/DesiredApi"
import { displayText } from "@felhom/domain/DisplayText"
import { humanDuration } from "@felhom/domain/HumanText"
import { Clock, Console, Effect, Either } from "effect"
import { connectionOptions } from "../Connection.ts"
import { shortIdLength } from "../HostsView.ts"
import { HubDesired } from "../HubDesired.ts"
import { HubReader } from "../HubReader.ts"
import { Input } from "../Input.ts"
import { OperatorError } from "../OperatorError.ts"
import { repeatedOption } from "../RepeatedOptions.ts"
import { output, print, withDesired } from "../Root.ts"
import { type Witnessed, witnessed } from "../SignedHost.ts"
import { trustLayer } from "../TrustCommands.ts"
import { type Preview, previewOf } from "./ReportSight.ts"
import { readFiles } from "./WishFiles.ts"
import { type ResolvedHost, resolveHost } from "./WishGuests.ts"
import { hostsIn, type HostWishes } from "./WishHosts.ts"
import type { Problem } from "./WishText.ts"
import { appliedWords, changeLines, stepLines } from "./WishWords.ts"

const usage = (detail: string): OperatorError => new OperatorError({ reason: "usage", detail })

const problemLine = ({ column, file, line, what }: Problem): string => displayText(`${file}:${line}:${column}: ${what}`)

/** Tells all problems, each with its place, and ends there. */
const told = (problems: ReadonlyArray<Problem>) =>
  Effect.zipRight(
    Effect.forEach(problems, (problem) => Console.error(problemLine(problem)), { discard: true }),
    Effect.fail(usage(
      `${problems.length} ${
        problems.length === 1 ? "problem" : "problems"
      } in the files; nothing was applied to any host`
    ))
  )

/** All that is needed to apply what is wished for one host. */
interface Proposal {
  readonly host: HostWishes["summary"]["host"]
  readonly sight: Witnessed
  readonly resolved: ResolvedHost
  readonly before: DesiredDetail | null
  readonly preview: Preview
  /** What changes at the hub, one line a guest. */
  readonly changes: ReadonlyArray<string>
}

const isSame = ({ before, changes, resolved }: Proposal): boolean =>
  before !== null && changes.length === 0 && before.entry.goodFor === resolved.goodFor

const looked = (wishes: HostWishes) =>
  Effect.gen(function*() {
    const hub = yield* HubReader
    const { host } = wishes.summary
    const sight = yield* witnessed(yield* hub.host(host.id), yield* hub.signed(host.id))
    return { host, sight, resolved: resolveHost(wishes, sight) }
  })

const proposals = (named: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { problems, read } = yield* readFiles(named)
    const found = hostsIn(read, yield* Effect.flatMap(HubReader, (hub) => hub.hosts))
    const all = yield* Effect.forEach(found.hosts, looked)
    const wrong = [
      ...problems,
      ...found.problems,
      ...all.flatMap(({ resolved }) => Either.isLeft(resolved) ? resolved.left : [])
    ]
    if (wrong.length > 0) return yield* told(wrong)
    const desired = yield* HubDesired
    return yield* Effect.forEach(
      all.flatMap(({ host, resolved, sight }) =>
        Either.isRight(resolved) ? [{ host, sight, resolved: resolved.right }] : []
      ),
      ({ host, resolved, sight }) =>
        Effect.map(desired.present(host.id), (before): Proposal => ({
          host,
          sight,
          resolved,
          before,
          preview: previewOf(resolved.guests, sight),
          changes: changeLines(resolved.guests, before)
        }))
    )
  })

const indented = (title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : [`  ${title}`, ...lines.map((line) => `    ${line}`)]

const untoldLines = ({ untold }: Preview): ReadonlyArray<string> =>
  untold.map(({ called, settings }) => `${displayText(called)}: ${settings.join(", ")}`)

const proposalLines = (proposal: Proposal, now: number): ReadonlyArray<string> => {
  const { before, changes, host, preview, resolved: { goodFor }, sight } = proposal
  const { report } = sight
  return [
    `${displayText(host.node)} (${host.id.slice(0, shortIdLength)}), as it said itself ${
      humanDuration(now - report.takenAt)
    } ago (report ${report.sequence ?? "?"})`,
    `  at the hub now: ${before === null ? "nothing is wished for it" : appliedWords(before, now)}`,
    ...indented(
      isSame(proposal)
        ? "this is what is wished for it already"
        : `what changes there, good for ${humanDuration(goodFor * 1000)} without its hub:`,
      isSame(proposal) ? [" "] : changes.length === 0 ? ["the same wishes, for another time"] : changes
    ).filter((line) => line.trim() !== ""),
    ...(sight.inventory?.hold === true ? ["  it is on hold: nothing new is started there until that is released"] : []),
    ...indented(
      "what differs from that on the host, by its report:",
      preview.plan.steps.length === 0 ? ["nothing that the report shows"] : preview.plan.steps.flatMap(stepLines)
    ),
    ...indented("what its report does not tell, so it may differ as well:", untoldLines(preview))
  ]
}

const limits =
  "What is done of it, and when, is each host's own policy: felhom-agent plan on the host shows that. A report tells neither " +
  "that, nor what is pending, nor the HA manager's guests."

const jsonOf = (proposal: Proposal, applied: DesiredDetail | null) => ({
  host: proposal.host.id,
  node: proposal.host.node,
  changes: proposal.changes,
  same: isSame(proposal),
  steps: proposal.preview.plan.steps,
  untold: proposal.preview.untold,
  applied
})

const submissionOf = (
  { before, resolved }: Proposal,
  allowEmpty: boolean,
  reason: string
): DesiredSubmission => ({
  state: { guests: resolved.guests.map(({ desired }) => desired) },
  called: resolved.guests.map(({ called }) => called.slice(0, 256)),
  after: before?.entry.applied.version ?? 0,
  goodFor: resolved.goodFor,
  allowEmpty: allowEmpty && resolved.guests.length === 0,
  reason
})

const nodes = (list: ReadonlyArray<Proposal>): string => list.map(({ host }) => displayText(host.node)).join(", ")

const confirmed = (list: ReadonlyArray<Proposal>, yes: boolean) =>
  Effect.gen(function*() {
    if (yes) return
    const typed = yield* Effect.flatMap(Input, (input) => input.line(`To apply this to ${nodes(list)}, type yes`))
    if (typed.trim().toLowerCase() !== "yes") return yield* usage("nothing was applied: the answer was not yes")
  })

/** Host by host; one that can't be applied does not keep the others from it, and is told. */
const applied = (list: ReadonlyArray<Proposal>, allowEmpty: boolean, reason: string) =>
  Effect.gen(function*() {
    const hub = yield* HubDesired
    const results = yield* Effect.forEach(list, (proposal) =>
      Effect.map(
        Effect.either(hub.apply(proposal.host.id, submissionOf(proposal, allowEmpty, reason))),
        (result) => ({ proposal, result })
      ))
    const failures = results.flatMap(({ proposal, result }) =>
      Either.isLeft(result) ? [`${proposal.host.node}: ${result.left.message}`] : []
    )
    return { results, failures }
  })

export const applyCommand = Command.make(
  "apply",
  {
    file: repeatedOption("file").pipe(
      Options.withDescription("A file of wishes (YAML or JSON), or a folder of them; may be given several times")
    ),
    dryRun: Options.boolean("dry-run").pipe(
      Options.withDescription("Only show what would change, and what differs by each host's own last report")
    ),
    yes: Options.boolean("yes").pipe(Options.withDescription("Do not ask")),
    allowEmpty: Options.boolean("allow-empty").pipe(
      Options.withDescription("A file may wish for nothing at all; its host then leaves all guests alone")
    ),
    reason: Options.text("reason").pipe(
      Options.withDefault(""),
      Options.withDescription("Why, for those who read it later")
    ),
    ...connectionOptions,
    output
  },
  ({ allowEmpty, dryRun, file, output, reason, yes, ...options }) =>
    withDesired(
      options,
      Effect.gen(function*() {
        if (reason.length > 500) return yield* usage("--reason takes 500 characters at most")
        const list = yield* proposals(file)
        const empty = list.filter(({ resolved }) => resolved.guests.length === 0)
        if (empty.length > 0 && !allowEmpty) {
          return yield* usage(`nothing at all is wished for ${nodes(empty)}; if that is meant, say so: --allow-empty`)
        }
        const now = yield* Clock.currentTimeMillis
        if (output === "text") {
          yield* print([...list.flatMap((proposal) => proposalLines(proposal, now)), limits])
        }
        const news = list.filter((proposal) => !isSame(proposal))
        if (dryRun || news.length === 0) {
          return yield* output === "json"
            ? Console.log(JSON.stringify(list.map((proposal) => jsonOf(proposal, null))))
            : print([dryRun ? "shown only: nothing was applied" : "nothing was to be applied"])
        }
        yield* confirmed(news, yes)
        const { failures, results } = yield* applied(news, allowEmpty, reason)
        if (output === "json") {
          yield* Console.log(JSON.stringify(results.map(({ proposal, result }) =>
            jsonOf(proposal, Either.isRight(result) ? result.right : null)
          )))
        } else {
          yield* print(results.flatMap(({ proposal: { host }, result }) =>
            Either.isRight(result)
              ? [
                `applied to ${
                  displayText(host.node)
                } as version ${result.right.entry.applied.version}; it takes it with the ` +
                `answer to its next report (felhom desired show ${displayText(host.node)})`
              ]
              : []
          ))
        }
        if (failures.length > 0) {
          return yield* new OperatorError({ reason: "hub", detail: `not applied: ${failures.join("; ")}` })
        }
      }).pipe(Effect.provide(trustLayer))
    )
).pipe(
  Command.withDescription(
    "Publish what the guests of hosts should be, from files of yours: shows what changes and asks first. A file names all that is wished for its hosts; what it does not name is left alone (operator)"
  )
)
