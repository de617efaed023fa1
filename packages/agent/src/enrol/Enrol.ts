import { claimBytes, enrolNamespace, hostCode, keyFingerprint } from "@felhom/domain/HostKey"
import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import type { NodeName } from "@felhom/domain/ProxmoxId"
import { version } from "@felhom/domain/Version"
import { StateFile } from "@felhom/durable/StateFile"
import { EnrolmentClient } from "@felhom/hub-client/EnrolmentClient"
import type { EnrolmentError } from "@felhom/hub-client/EnrolmentError"
import { Console, Effect, Redacted } from "effect"
import { EnrolmentWaits } from "./EnrolmentWaits.ts"
import { HostKey } from "./HostKey.ts"

/** What an enrolment needs beside the hub: the one-time token, the node's name, and where the Bearer is kept. */
export interface EnrolOptions {
  readonly token: Redacted.Redacted
  readonly node: NodeName
  /** The file that the Bearer is written to, for the daemon to take it from. */
  readonly bearerPath: string
  /** Ask once and end, instead of waiting for a person to accept. */
  readonly once: boolean
  readonly output: "text" | "json"
}

/** Seconds between two looks at whether a person accepted. */
const pollSeconds = 5

/** Proves the key once; the Bearer, or that a person has not accepted yet. */
const claim = Effect.gen(function*() {
  const client = yield* EnrolmentClient
  const key = yield* HostKey
  const { host } = yield* StateFile
  const challenge = yield* client.challenge
  const signature = yield* key.sign(enrolNamespace, claimBytes(host.id, challenge))
  return yield* client.claim({ host: host.id, challenge, signature })
})

/** A hub that is away for a moment, or asks to be left alone, does not end the wait. */
const passing: ReadonlySet<EnrolmentError["reason"]> = new Set(["unreachable", "busy"])

const untilAccepted: Effect.Effect<
  Redacted.Redacted,
  EnrolmentError,
  EnrolmentClient | HostKey | StateFile
> = Effect.suspend(() =>
  Effect.matchEffect(claim, {
    onFailure: (error) =>
      passing.has(error.reason)
        ? Effect.zipRight(Effect.sleep(`${Math.max(pollSeconds, error.retryAfterSeconds ?? 0)} seconds`), untilAccepted)
        : Effect.fail(error),
    onSuccess: (answer) =>
      answer.state === "accepted"
        ? Effect.succeed(answer.token)
        : Effect.zipRight(Effect.sleep(`${pollSeconds} seconds`), untilAccepted)
  })
)

/**
 * Shows this host to its hub, prints the code that a person compares there, waits until that person accepted, and keeps the
 * Bearer in the state folder. It may be broken off and run again with the same token at any time.
 */
export const enrol = (
  options: EnrolOptions
): Effect.Effect<
  void,
  EnrolmentError | EnrolmentWaits | DurableFileError,
  EnrolmentClient | HostKey | StateFile | DurableFile | Ed25519
> =>
  Effect.gen(function*() {
    const client = yield* EnrolmentClient
    const { publicKey } = yield* HostKey
    const { host } = yield* StateFile
    const files = yield* DurableFile
    const code = yield* hostCode(publicKey)
    const fingerprint = yield* keyFingerprint(publicKey)
    const say = (state: "waiting" | "enrolled", lines: ReadonlyArray<string>) =>
      Console.log(
        options.output === "json"
          ? JSON.stringify({ state, host: host.id, node: options.node, code, fingerprint })
          : lines.join("\n")
      )
    yield* client.ask({
      token: Redacted.value(options.token),
      host: host.id,
      publicKey,
      node: options.node,
      agentVersion: version
    })
    yield* say("waiting", [
      `host   ${options.node}  ${host.id}`,
      `key    ${fingerprint}`,
      `code   ${code}`,
      "The hub knows of this host. An admin now accepts it by this very code, read from here: felhom accept CODE"
    ])
    const answer = options.once ? yield* claim : undefined
    if (answer?.state === "waiting") return yield* new EnrolmentWaits({ code })
    const bearer = answer === undefined ? yield* untilAccepted : answer.token
    yield* files.replace(options.bearerPath, new TextEncoder().encode(`${Redacted.value(bearer)}\n`))
    yield* say("enrolled", [
      `accepted; the token for reports is in ${options.bearerPath}, and felhom-agent daemon takes it from there`
    ])
  })
