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
  const logged = ({ kind, message, severity, subject }: NewEvent): Effect.Effect<void> =>
    (severity === "info" ? Effect.logInfo(message) : Effect.logWarning(message)).pipe(
      Effect.annotateLogs({ event: kind, subject })
    )
  return {
    tell: (event: NewEvent): Effect.Effect<void> => Effect.zipRight(state.record([event]), logged(event)),
    /**
     * Of what stands nowhere else: it is kept until its subject is settled, also when the hub has it. False: the disk has not
     * taken it yet, and the hub hears of it when it has.
     */
    tellLasting: (event: NewEvent & { readonly subject: string }): Effect.Effect<boolean> =>
      Effect.zipLeft(state.recordLasting(event), logged(event)),
    /** What has happened can't be stopped by a chain that is not written. */
    note: (entry: Parameters<typeof chain.append>[0]): Effect.Effect<void> =>
      Effect.catchAll(
        Effect.asVoid(chain.append(entry)),
        (error) => Effect.logError("the audit chain can't be written", error.message)
      ),
    chain
  }
})
