import { displayText } from "@felhom/domain/DisplayText"
import { Console, Context, Effect, Layer, Ref, Schema } from "effect"

/** One step of a selftest. `note` is for what is worth knowing and no failure. */
export const Check = Schema.Struct({
  name: Schema.String,
  outcome: Schema.Literal("passed", "failed", "note"),
  detail: Schema.String
})
export type Check = typeof Check.Type

/** What a selftest prints with `--output json`. */
export const SelftestResult = Schema.Struct({
  selftest: Schema.Literal("read", "task", "hub"),
  passed: Schema.Boolean,
  checks: Schema.Array(Check)
})
export type SelftestResult = typeof SelftestResult.Type

/** The checks ran and did not all pass; everything was said already. */
export class SelftestFailed extends Schema.TaggedError<SelftestFailed>()("SelftestFailed", {}) {
  override get message(): string {
    return "not all checks passed"
  }
}

/** Where a selftest writes down its steps: as they happen for a person, or as one object at the end for a program. */
export class Checklist extends Context.Tag("felhom/agent/selftest/Checklist")<Checklist, {
  readonly pass: (name: string, detail: string) => Effect.Effect<void>
  readonly fail: (name: string, detail: string) => Effect.Effect<void>
  readonly note: (name: string, detail: string) => Effect.Effect<void>
  /** Runs a step; its failure is written down and ends the selftest. */
  readonly step: <A, E extends { readonly message: string }, R>(
    name: string,
    step: Effect.Effect<A, E, R>,
    detail: (value: A) => string
  ) => Effect.Effect<A, SelftestFailed, R>
  readonly checks: Effect.Effect<ReadonlyArray<Check>>
}>() {}

const mark: { readonly [outcome in Check["outcome"]]: string } = { passed: "ok  ", failed: "FAIL", note: "note" }

const line = (check: Check): string => {
  const [first = "", ...rest] = check.detail.split("\n").map(displayText)
  return [`${mark[check.outcome]}  ${check.name.padEnd(20)} ${first}`, ...rest.map((text) => " ".repeat(27) + text)]
    .join("\n")
}

export type Output = "text" | "json"

export const layer = (output: Output): Layer.Layer<Checklist> =>
  Layer.effect(
    Checklist,
    Effect.map(Ref.make<ReadonlyArray<Check>>([]), (checks) => {
      const add = (outcome: Check["outcome"]) => (name: string, detail: string) => {
        const check: Check = { name, outcome, detail }
        return Effect.zipRight(
          Ref.update(checks, (all) => [...all, check]),
          output === "text" ? Console.log(line(check)) : Effect.void
        )
      }
      const pass = add("passed")
      const fail = add("failed")
      return Checklist.of({
        pass,
        fail,
        note: add("note"),
        step: (name, step, detail) =>
          Effect.matchEffect(step, {
            onFailure: (error) => Effect.zipRight(fail(name, error.message), new SelftestFailed()),
            onSuccess: (value) => Effect.as(pass(name, detail(value)), value)
          }),
        checks: Ref.get(checks)
      })
    })
  )

/** What is printed at the end: for a person, and for a program. */
export interface Verdict {
  readonly text: string
  readonly json: unknown
}

/** Runs checks to their end, prints the verdict, and fails if any of them did. */
export const verdict = <R>(
  output: Output,
  steps: Effect.Effect<unknown, SelftestFailed, R>,
  render: (checks: ReadonlyArray<Check>, passed: boolean) => Verdict
): Effect.Effect<void, SelftestFailed, R | Checklist> =>
  Effect.gen(function*() {
    const list = yield* Checklist
    yield* Effect.catchTag(steps, "SelftestFailed", () => Effect.void)
    const checks = yield* list.checks
    const passed = checks.every(({ outcome }) => outcome !== "failed")
    const { json, text } = render(checks, passed)
    yield* Console.log(output === "json" ? JSON.stringify(json, null, 2) : text)
    if (!passed) return yield* new SelftestFailed()
  })

/** Runs a selftest to its end, prints the verdict, and fails if any step did. */
export const concluded = <R>(
  selftest: SelftestResult["selftest"],
  output: Output,
  steps: Effect.Effect<unknown, SelftestFailed, R>
): Effect.Effect<void, SelftestFailed, R | Checklist> =>
  verdict(output, steps, (checks, passed) => ({
    text: `selftest ${selftest}: ${passed ? "passed" : "FAILED"}`,
    json: { selftest, passed, checks } satisfies SelftestResult
  }))
