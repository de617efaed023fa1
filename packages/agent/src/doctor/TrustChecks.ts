import * as AcceptedPolicy from "@felhom/authz/AcceptedPolicy"
import * as AcceptedSigners from "@felhom/authz/AcceptedSigners"
import * as HostPolicy from "@felhom/authz/HostPolicy"
import * as Signers from "@felhom/authz/Signers"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { Effect, Either, Layer, Option } from "effect"
import { type Finding, fine, mend, worthKnowing } from "./Finding.ts"

/** Where root's files are. */
export interface TrustFiles {
  readonly policyFile: string
  readonly signers: Signers.SignerFiles
  /** Where what the host accepted beyond them is kept. */
  readonly stateDirectory: string
}

/** Whether root's files about signed ops can be taken as they are now. No signers at all is a host that takes none. */
export const trustChecks = (
  files: TrustFiles
): Effect.Effect<ReadonlyArray<Finding>, never, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const { policy, problem, root, sha256 } = yield* (yield* HostPolicy.HostPolicy).current
    const { threshold } = policy.signatures
    const ofPolicy = Option.isSome(problem)
      ? mend("policy", `${problem.value}; until that is mended nothing is destroyed on this host`)
      : sha256 === null
      ? worthKnowing("policy", `there is no ${files.policyFile}: one signer is enough for any signed op`)
      : fine(
        "policy",
        `${sha256 === root ? files.policyFile : `the policy that operators signed (${sha256})`}: ${threshold} signer${
          threshold === 1 ? "" : "s"
        }, unless an op has its own rule`
      )
    const signers = yield* Effect.either((yield* Signers.Signers).current)
    const ofSigners = Either.match(signers, {
      onLeft: (error) =>
        error.reason === "no-signers"
          ? worthKnowing("signers", `${error.detail}; until then it takes no signed op`)
          : mend("signers", `${error.detail}; until that is mended nobody's signature counts`),
      onRight: ({ followed, held, signers }) => {
        const count = `${signers.signers.length} may sign`
        if (Option.isNone(held)) return fine("signers", `${files.signers.allowed}: ${count}`)
        const { fleet, version } = held.value.document
        return followed
          ? fine("signers", `version ${version} of the fleet ${fleet}: ${count}`)
          : worthKnowing(
            "signers",
            `${files.signers.allowed}: ${count}; root has edited it since version ${version} of the fleet ${fleet} was taken`
          )
      }
    })
    return [ofPolicy, ofSigners]
  }).pipe(Effect.provide(
    Layer.provide(
      Layer.merge(HostPolicy.layer(files.policyFile), Signers.layer(files.signers)),
      Layer.merge(AcceptedPolicy.layer(files.stateDirectory), AcceptedSigners.layer(files.stateDirectory))
    )
  ))
