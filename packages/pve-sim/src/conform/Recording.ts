import { FileSystem, Path } from "@effect/platform"
import { Effect, Order, ParseResult, Schema } from "effect"
import { ConsoleChange } from "../ConsoleChange.ts"
import { decodeWorld, type World } from "../World.ts"

/** One exchange recorded from a real host: `NNN-slug.json`. */
export const Recording = Schema.Struct({
  n: Schema.Int,
  slug: Schema.String,
  request: Schema.Struct({
    method: Schema.String,
    path: Schema.String,
    headers: Schema.Record({ key: Schema.String, value: Schema.String }),
    body: Schema.NullOr(Schema.String)
  }),
  response: Schema.Struct({
    status: Schema.Int,
    reason: Schema.String,
    headers: Schema.Array(Schema.Tuple(Schema.String, Schema.String)),
    body_json: Schema.Unknown,
    body_text: Schema.NullOr(Schema.String),
    /** From the first byte sent to the last one read. */
    elapsed_ms: Schema.optionalWith(Schema.Number, { default: () => 0 })
  })
})
export type Recording = typeof Recording.Type

/** What root did on the real host in front of an exchange: a shell command, or null when it only waited. */
export const OutOfBand = Schema.Struct({
  before_n: Schema.Int,
  what: Schema.optionalWith(Schema.String, { default: () => "" }),
  command: Schema.optionalWith(
    Schema.NullOr(Schema.Union(
      Schema.String,
      // Words that the recorder passed on one by one.
      Schema.transform(Schema.Array(Schema.String), Schema.String, {
        strict: true,
        decode: (words) => words.join(" "),
        encode: (text) => [text]
      })
    )),
    { default: () => null }
  ),
  /** What the command printed. */
  output: Schema.optionalWith(Schema.String, { nullable: true, default: () => "" }),
  /** The same in the terms of the control port, where no command line tells it. */
  changes: Schema.optionalWith(Schema.Array(ConsoleChange), { default: () => [] })
})
export type OutOfBand = typeof OutOfBand.Type

/** Exchanges in the order in which they are played, and the host on which they began. */
export interface Scenario {
  readonly world: World
  /** The world's own text without what root did later: what is in it was there before anything random happened. */
  readonly worldText: string
  readonly outOfBand: ReadonlyArray<OutOfBand>
  readonly recordings: ReadonlyArray<Recording>
}

/** The folder holds no scenario. Nothing was played. */
export class ScenarioError extends Schema.TaggedError<ScenarioError>()("ScenarioError", {
  reason: Schema.Literal("unreadable", "no-world", "not-a-recording", "empty"),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot play ${this.path}: ${this.detail}; a scenario is a folder with world.json and NNN-slug.json files`
  }
}

const Notes = Schema.Struct({
  out_of_band: Schema.optionalWith(Schema.Array(OutOfBand), { default: () => [] }),
  /** `date`: the numbers tell subjects apart, and the answers' dates what came first. */
  order: Schema.optionalWith(Schema.Literal("number", "date"), { default: () => "number" as const })
})

const refuse = (reason: ScenarioError["reason"], path: string) => (error: { readonly message: string }) =>
  new ScenarioError({
    reason,
    path,
    detail: ParseResult.isParseError(error)
      ? ParseResult.ArrayFormatter.formatErrorSync(error).map((issue) =>
        `${issue.path.join(".")}: ${issue.message}`
      )[0] ??
        error.message
      : error.message
  })

const byNumber = Order.mapInput(Order.number, (one: { readonly n: number }) => one.n)

/**
 * When a request was sent, in milliseconds: the answer's date tells its second. Answers that took long were sent that much
 * earlier; for others the part of a second cannot be told.
 */
export const sentAt = ({ response }: Recording): number => {
  const answered = Date.parse(response.headers.find(([name]) => name === "Date")?.[1] ?? "")
  return Number.isNaN(answered) ? 0 : response.elapsed_ms < 1000 ? answered : answered - response.elapsed_ms
}

const bySending = Order.combine(Order.mapInput(Order.number, sentAt), byNumber)

/**
 * Reads a folder with `world.json` and `NNN-slug.json` files. What root did stands in the world, or in `out-of-band.json`; other
 * files are left alone.
 */
export const readScenario = (
  folder: string
): Effect.Effect<Scenario, ScenarioError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const read = (name: string) =>
      files.readFileString(path.join(folder, name)).pipe(Effect.mapError(refuse("unreadable", path.join(folder, name))))
    const worldPath = path.join(folder, "world.json")
    const value = yield* Schema.decode(Schema.parseJson())(yield* read("world.json")).pipe(
      Effect.mapError(refuse("no-world", worldPath))
    )
    const world = yield* decodeWorld(value, worldPath).pipe(Effect.mapError(refuse("no-world", worldPath)))
    const notes = yield* Schema.decodeUnknown(Notes)(value).pipe(Effect.mapError(refuse("no-world", worldPath)))
    const apart = path.join(folder, "out-of-band.json")
    const outOfBand = notes.out_of_band.length > 0 || !(yield* files.exists(apart).pipe(Effect.orElseSucceed(() =>
        false
      )))
      ? notes.out_of_band
      : yield* Effect.flatMap(read("out-of-band.json"), (text) =>
        Schema.decode(Schema.parseJson(Schema.Array(OutOfBand)))(text).pipe(
          Effect.mapError(refuse("not-a-recording", apart))
        ))
    const names = yield* files.readDirectory(folder).pipe(Effect.mapError(refuse("unreadable", folder)))
    const recordings = yield* Effect.forEach(
      names.filter((name) => /^\d+-.*\.json$/.test(name)),
      (name) =>
        Effect.flatMap(read(name), (text) =>
          Schema.decode(Schema.parseJson(Recording))(text).pipe(
            Effect.mapError(refuse("not-a-recording", path.join(folder, name)))
          ))
    )
    if (recordings.length === 0) {
      return yield* new ScenarioError({ reason: "empty", path: folder, detail: "there is no exchange in it" })
    }
    return {
      world,
      worldText: JSON.stringify(value, (key, member: unknown) =>
        key === "out_of_band" ? undefined : member),
      outOfBand,
      recordings: recordings.toSorted(notes.order === "date" ? bySending : byNumber)
    }
  })
