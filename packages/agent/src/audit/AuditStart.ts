import { version } from "@felhom/domain/Version"
import * as AuditChain from "@felhom/durable/AuditChain"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import * as NodeFileSteps from "@felhom/node/NodeFileSteps"
import { Effect, Layer } from "effect"

/**
 * Writes into the audit chain that the agent was started. The caller holds the lock of the state folder. A chain that can't be
 * written is said in the log, and stops nothing: the agent goes on reporting.
 */
export const auditStart = (directory: string, bootId: string | null): Effect.Effect<void> =>
  Effect.flatMap(AuditChain.AuditChain, (chain) => chain.append({ _tag: "agent.started", version, bootId })).pipe(
    Effect.matchEffect({
      onFailure: (error) => Effect.logError("the audit chain can't be written", error.message),
      onSuccess: ({ head, length }) =>
        Effect.logDebug("the audit chain goes on").pipe(Effect.annotateLogs({ head, length }))
    }),
    Effect.provide(AuditChain.layer(directory).pipe(Layer.provide([NodeFileSteps.layer, NodeCrypto.layer])))
  )
