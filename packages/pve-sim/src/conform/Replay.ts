import { Effect, Fiber } from "effect"
import { PveSim } from "../PveSim.ts"
import type { SimResponse } from "../SimWire.ts"
import { differences } from "./Difference.ts"
import { type Recording, sentAt } from "./Recording.ts"
import type { Renames } from "./Renames.ts"
import type { VirtualClock } from "./VirtualClock.ts"

/** The secret that a token of the replay has; recordings hold only a placeholder. */
export const secretOf = (token: string): string => `${token}-secret`

const withSecrets = (value: string): string =>
  value
    .replace(/<([\w.-]+)-token-secret-with-a-wrong-end>/, (_, token: string) => `${secretOf(token)}x`)
    .replace(/<([\w.-]+)-token-secret>/, (_, token: string) => secretOf(token))

/** A long body is cut in its recording: `xxx... (512000 characters)`. Its last character went on until then. */
const wholeBody = (body: string): string => {
  const [, start, count] = /^(.*)\.\.\. \((\d+) characters\)$/s.exec(body) ?? []
  return start === undefined ? body : start.padEnd(Number(count), start.at(-1) ?? "")
}

/** A step of the replay's time in milliseconds; shorter than any task. */
const tick = 20

// A task of the simulated host that has not ended by then never will.
const patienceMillis = 4 * 3_600_000

/** Plays recordings against the simulated host in their own time. */
export interface Replay {
  /** What differs between the recorded answer and the simulated one; empty when it conforms. */
  readonly replay: (recording: Recording) => Effect.Effect<ReadonlyArray<string>>
  /** Sends the request and waits for nothing; the differences come later, when the real host had answered. */
  readonly begin: (recording: Recording) => Effect.Effect<Effect.Effect<ReadonlyArray<string>>>
}

/**
 * Names of recorded tasks, archives and the like are translated to those that the same requests made here, and a task that
 * had ended by the time of a recording is waited for. `takenAt` is when the world was taken, in seconds since the epoch.
 */
export const makeReplay = (
  time: VirtualClock,
  renames: Renames,
  world: { readonly text: string; readonly takenAt: number }
): Effect.Effect<Replay, never, PveSim> =>
  Effect.gen(function*() {
    const sim = yield* PveSim

    const send = (recording: Recording): Effect.Effect<SimResponse> => {
      const { body, headers, method, path } = recording.request
      const [rawPath = "", query = ""] = renames.translate(path).split(/\?(.*)/s)
      const bytes = new TextEncoder().encode(renames.translate(wholeBody(body ?? "")))
      const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), withSecrets(value)])
      return sim.handle({
        method,
        path: rawPath,
        query,
        headers: { ...Object.fromEntries(lower), ...(body === null ? {} : { "content-length": String(bytes.length) }) },
        body: bytes
      })
    }

    /** The answer, with time going on for as long as it takes. */
    const exchange = (recording: Recording): Effect.Effect<SimResponse> =>
      Effect.flatMap(Effect.forkDaemon(send(recording)), awaited)

    const awaited = (fiber: Fiber.Fiber<SimResponse>): Effect.Effect<SimResponse> =>
      Effect.gen(function*() {
        for (;;) {
          yield* time.advanceTo(time.now())
          const done = yield* Fiber.poll(fiber)
          if (done._tag === "Some") return yield* done.value
          yield* time.advanceTo(time.now() + tick)
        }
      })

    const onceEnded = (recording: Recording): Effect.Effect<SimResponse> =>
      Effect.gen(function*() {
        const until = time.now() + patienceMillis
        for (;;) {
          const response = yield* exchange(recording)
          if (!says(jsonOf(response), "running") || time.now() > until) return response
          yield* time.advanceTo(time.now() + tick)
        }
      })

    const replay = (recording: Recording): Effect.Effect<ReadonlyArray<string>> =>
      Effect.gen(function*() {
        yield* time.advanceTo(sentAt(recording))
        const waits = recording.request.path.endsWith("/status") && recording.request.path.includes("/tasks/") &&
          says(recording.response.body_json, "stopped")
        const began = time.now()
        const response = yield* (waits ? onceEnded(recording) : exchange(recording))
        // What the real host and its client took for it, tasks had for their work.
        yield* time.advanceTo(began + Math.floor(recording.response.elapsed_ms))
        return compare(renames, recording, response, world)
      })

    const begin = (recording: Recording) =>
      Effect.gen(function*() {
        yield* time.advanceTo(sentAt(recording))
        return yield* Effect.forkDaemon(send(recording))
      }).pipe(
        Effect.map((fiber) => Effect.map(awaited(fiber), (response) => compare(renames, recording, response, world)))
      )

    return { replay, begin }
  })

const jsonOf = (response: SimResponse): unknown => {
  const text = new TextDecoder().decode(response.body)
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch {
    // A body that is no JSON is compared as text.
    return null
  }
}

const says = (value: unknown, status: string): boolean =>
  JSON.stringify(value)?.includes(`"status":"${status}"`) ?? false

type Rows = ReadonlyArray<{ readonly [key: string]: unknown }>

const rowsOf = (value: unknown): Rows | undefined =>
  typeof value === "object" && value !== null && "data" in value && Array.isArray(value.data) ? value.data : undefined

/**
 * A world holds the newest tasks and no samples of the time before it was taken. Where an answer shows more of that past
 * than the world does, only what came after is compared.
 */
const withoutForgotten = (
  path: string,
  world: { readonly text: string; readonly takenAt: number },
  recorded: unknown,
  simulated: unknown
): readonly [recorded: unknown, simulated: unknown] => {
  const [left, right] = [rowsOf(recorded), rowsOf(simulated)]
  if (left === undefined || right === undefined) return [recorded, simulated]
  if (/\/rrddata(\?|$)/.test(path)) {
    const past = (rows: Rows) => rows.map((row) => Number(row["time"]) <= world.takenAt ? { time: row["time"] } : row)
    return [{ data: past(left) }, { data: past(right) }]
  }
  if (!/\/tasks(\?|$)/.test(path)) return [recorded, simulated]
  const old = (row: Rows[number]): boolean => Number(row["starttime"]) < world.takenAt
  const forgotten = left.some((row) => old(row) && !world.text.includes(String(row["upid"])))
  const kept = (rows: Rows) => ({ data: forgotten ? rows.filter((row) => !old(row)) : rows, total: 0 })
  return [kept(left), kept(right)]
}

const connectionOf = (headers: ReadonlyArray<readonly [string, string]>): string =>
  headers.filter(([name]) => name === "Connection").map(([, value]) => value).join(", ")

const compare = (
  renames: Renames,
  recording: Recording,
  response: SimResponse,
  world: { readonly text: string; readonly takenAt: number }
): ReadonlyArray<string> => {
  const { headers, reason, status } = recording.response
  const names = (list: ReadonlyArray<readonly [string, string]>): string => list.map(([name]) => name).join(", ")
  const found: Array<string> = []
  if (status !== response.status) found.push(`status: ${status} became ${response.status}`)
  if (!renames.same(reason, response.reason)) found.push(`reason: ${reason} became ${response.reason}`)
  // The recorded text of a compressed body is beyond repair.
  if (headers.some(([name]) => name === "Content-Encoding")) return found
  if (names(headers) !== names(response.headers)) {
    found.push(`headers: ${names(headers)} became ${names(response.headers)}`)
  }
  if (connectionOf(headers) !== connectionOf(response.headers)) {
    found.push(`Connection: ${connectionOf(headers)} became ${connectionOf(response.headers)}`)
  }
  if (recording.response.body_text !== null) {
    const text = new TextDecoder().decode(response.body)
    if (text !== recording.response.body_text) found.push(`body: ${recording.response.body_text} became ${text}`)
    return found
  }
  const { path } = recording.request
  const [left, right] = withoutForgotten(path, world, recording.response.body_json, jsonOf(response))
  return [...found, ...differences(renames, left, right, /\/rrddata(\?|$)/.test(path) ? "rrddata" : "body")]
}
