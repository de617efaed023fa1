import { Cause, Effect, Schema } from "effect"
import { PrivilegedError } from "./Privileged.ts"
import { problemWords } from "./ProblemWords.ts"
import { lineLimitBytes, type RootExchange, RootReply } from "./RootExchange.ts"

const bytesOf = (text: string): number => new TextEncoder().encode(text).length

/**
 * A root helper's whole work: one line of request to one line of answer. Whatever comes in, an answer goes out, and none is longer
 * than its reader takes; nothing runs for a line that is not exactly a request.
 */
export const answerTo = <A, I, B, J, R>(
  { request, result, verb }: RootExchange<A, I, B, J>,
  handle: (request: A) => Effect.Effect<B, PrivilegedError, R>
) => {
  const fromLine = Schema.decodeUnknown(Schema.parseJson(request), { onExcessProperty: "error" })
  const toLine = Schema.encodeSync(Schema.parseJson(RootReply(result)))
  const refusal = (reason: PrivilegedError["reason"], detail: string): string =>
    toLine({ ok: false, error: new PrivilegedError({ verb, reason, detail }) })

  /** The line, or why none was read. */
  return (line: Effect.Effect<string, string>): Effect.Effect<string, never, R> =>
    line.pipe(
      Effect.mapError((detail) => new PrivilegedError({ verb, reason: "invalid", detail })),
      Effect.flatMap((text) =>
        Effect.mapError(
          fromLine(text),
          (error) => new PrivilegedError({ verb, reason: "invalid", detail: problemWords(error) })
        )
      ),
      Effect.flatMap(handle),
      Effect.map((done) => toLine({ ok: true, result: done })),
      Effect.catchAll((error) => Effect.sync(() => refusal(error.reason, error.detail))),
      Effect.map((reply) =>
        bytesOf(reply) <= lineLimitBytes
          ? reply
          : refusal("malformed", `the answer has ${bytesOf(reply)} bytes, and a line holds ${lineLimitBytes}`)
      ),
      Effect.catchAllCause((cause) =>
        Effect.as(
          Effect.logError("the helper itself failed", cause),
          refusal("failed", `the helper itself failed; see its journal. ${Cause.pretty(cause).slice(0, 200)}`)
        )
      )
    )
}
