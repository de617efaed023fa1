import { displayText } from "@felhom/domain/DisplayText"
import { AuditChain } from "@felhom/durable/AuditChain"
import { type NewEvent, StateFile } from "@felhom/durable/StateFile"
import { Effect } from "effect"

/** Text from wherever, as one line for a person. */
export const line = (text: string): string => displayText(text.replace(/\n\s*/g, "; "))

/** The two ways in which things are told: as an event for the hub, which is in the durable queue then, and in the audit chain. */
export const makeTelling = Effect.gen(function*() {
  const state = yield* StateFile
  const chain = yield* AuditChain
  return {
    tell: (event: NewEvent): Effect.Effect<void> =>
      Effect.zipRight(
        state.record([event]),
        (event.severity === "info" ? Effect.logInfo(event.message) : Effect.logWarning(event.message)).pipe(
          Effect.annotateLogs({ event: event.kind, subject: event.subject })
        )
      ),
    /** What has happened can't be stopped by a chain that is not written. */
    note: (entry: Parameters<typeof chain.append>[0]): Effect.Effect<void> =>
      Effect.catchAll(
        Effect.asVoid(chain.append(entry)),
        (error) => Effect.logError("the audit chain can't be written", error.message)
      ),
    chain
  }
})
