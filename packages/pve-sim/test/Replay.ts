import type { ConsoleChange } from "@felhom/pve-sim/ConsoleChange"
import { PveSim } from "@felhom/pve-sim/PveSim"
import type { SimResponse } from "@felhom/pve-sim/SimWire"
import { Effect, Fiber } from "effect"
import { differences } from "./Difference.ts"
import type { Recording } from "./Recording.ts"
import type { makeVirtualClock } from "./VirtualClock.ts"

/** The secret that a token of the replay has; recordings hold only a placeholder. */
export const secretOf = (token: string): string => `${token}-secret`

const upidPattern = /UPID:[^/"\s]*:/

const withSecrets = (value: string): string =>
  value
    .replace(/<(\w+)-token-secret-with-a-wrong-end>/, (_, token: string) => `${secretOf(token)}x`)
    .replace(/<(\w+)-token-secret>/, (_, token: string) => secretOf(token))

const dateOf = (recording: Recording): number =>
  Date.parse(recording.response.headers.find(([name]) => name === "Date")?.[1] ?? "")

/** A step of the replay's time in milliseconds; shorter than any task. */
const tick = 20

/**
 * Plays recordings against the simulated host in their own time. UPIDs of recorded tasks are translated to those of the
 * tasks that the same request started here, and a task that had ended by the time of a recording is waited for.
 */
export const makeReplay = (time: ReturnType<typeof makeVirtualClock>) =>
  Effect.gen(function*() {
    const sim = yield* PveSim
    const upids = new Map<string, string>()

    const translate = (path: string): string =>
      path.replace(/UPID%3A[^/?]*/, (encoded) => {
        const ours = upids.get(decodeURIComponent(encoded))
        return ours === undefined ? encoded : encodeURIComponent(ours)
      })

    const send = (recording: Recording): Effect.Effect<SimResponse> => {
      const { body, headers, method, path } = recording.request
      const [rawPath = "", query = ""] = translate(path).split("?")
      const bytes = new TextEncoder().encode(body ?? "")
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
      Effect.gen(function*() {
        const fiber = yield* Effect.fork(send(recording))
        for (;;) {
          yield* time.advanceTo(time.now())
          const done = yield* Fiber.poll(fiber)
          if (done._tag === "Some") return yield* done.value
          yield* time.advanceTo(time.now() + tick)
        }
      })

    const jsonOf = (response: SimResponse): unknown => {
      const text = new TextDecoder().decode(response.body)
      try {
        const value: unknown = JSON.parse(text)
        return value
      } catch {
        return null
      }
    }

    const onceEnded = (recording: Recording): Effect.Effect<SimResponse> =>
      Effect.gen(function*() {
        for (;;) {
          const response = yield* exchange(recording)
          if (!says(jsonOf(response), "running")) return response
          yield* time.advanceTo(time.now() + tick)
        }
      })

    const says = (value: unknown, status: string): boolean =>
      JSON.stringify(value)?.includes(`"status":"${status}"`) ?? false

    const replay = (recording: Recording): Effect.Effect<ReadonlyArray<string>> =>
      Effect.gen(function*() {
        yield* time.advanceTo(dateOf(recording))
        const waits = recording.request.path.endsWith("/status") && recording.request.path.includes("/tasks/") &&
          says(recording.response.body_json, "stopped")
        const response = yield* (waits ? onceEnded(recording) : exchange(recording))
        const body = jsonOf(response)
        const started = upidPattern.exec(JSON.stringify(recording.response.body_json) ?? "")?.[0]
        const here = upidPattern.exec(JSON.stringify(body) ?? "")?.[0]
        if (recording.request.method !== "GET" && started !== undefined && here !== undefined) upids.set(started, here)
        return compare(recording, response, body)
      })

    return { replay, change: (change: ConsoleChange) => sim.change(change) }
  })

const upidParts = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "data" in value && typeof value.data === "string" &&
    value.data.startsWith("UPID:")
    ? { data: value.data.split(":").filter((_, at) => ![2, 3, 4].includes(at)).join(":") }
    : value

const withoutTaskTotal = (recording: Recording, value: unknown): unknown => {
  // The real host's task archive went further back than the world does, and so does its count.
  const isTaskList = /\/tasks(\?|$)/.test(recording.request.path)
  return isTaskList && typeof value === "object" && value !== null && "total" in value ? { ...value, total: 0 } : value
}

const connectionOf = (headers: ReadonlyArray<readonly [string, string]>): string =>
  headers.filter(([name]) => name === "Connection").map(([, value]) => value).join(", ")

const compare = (recording: Recording, response: SimResponse, body: unknown): ReadonlyArray<string> => {
  const { headers, reason, status } = recording.response
  const names = (list: ReadonlyArray<readonly [string, string]>): string => list.map(([name]) => name).join(", ")
  const found: Array<string> = []
  if (status !== response.status) found.push(`status: ${status} became ${response.status}`)
  if (reason !== response.reason) found.push(`reason: ${reason} became ${response.reason}`)
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
  } else {
    found.push(...differences(
      withoutTaskTotal(recording, upidParts(recording.response.body_json)),
      withoutTaskTotal(recording, upidParts(body)),
      "body"
    ))
  }
  return found
}
