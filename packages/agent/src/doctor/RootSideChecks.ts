import { RootSocket, RootVerb } from "@felhom/domain/port/RootSocket"
import { RootReply } from "@felhom/privileged/RootExchange"
import { Effect, Either, Option, Schema } from "effect"
import { HostFiles } from "../configure/HostFiles.ts"
import { type Finding, fine, mend } from "./Finding.ts"

/** What no helper takes for a question: whoever refuses it is there, and nothing was run. */
const noQuestion = "{}"

const decode = Schema.decodeUnknownEither(Schema.parseJson(RootReply(Schema.Unknown)))

const answersOf = Effect.gen(function*() {
  const sockets = yield* RootSocket
  return yield* Effect.forEach(RootVerb.literals, (verb) =>
    Effect.match(sockets.exchange(verb, noQuestion), {
      onFailure: (error) => Option.some(error.message),
      onSuccess: (line) =>
        Either.match(decode(line), {
          onLeft: () => Option.some(`root helper for ${verb}: an answer that this version does not know`),
          onRight: (reply) =>
            reply.ok || reply.error.reason !== "invalid"
              ? Option.some(`root helper for ${verb}: it took ${noQuestion} for a question: is it of this version?`)
              : Option.none()
        })
    }))
})

/**
 * Whether the three root helpers answer, and whether the agent's user is the one whom their sockets let in. Root gets in whoever they
 * belong to, so that is looked at by itself.
 */
export const rootSideChecks = (
  folders: { readonly sockets: string; readonly state: string }
): Effect.Effect<ReadonlyArray<Finding>, never, RootSocket | HostFiles> =>
  Effect.gen(function*() {
    const files = yield* HostFiles
    const name = "root side"
    const silent = (yield* answersOf).flatMap(Option.toArray)
    const ownership = (path: string) => Effect.orElseSucceed(files.ownership(path), Option.none)
    const agent = yield* ownership(folders.state)
    const strangers = yield* Effect.filter(RootVerb.literals, (verb) =>
      Effect.map(ownership(`${folders.sockets}/${verb}.sock`), (socket) =>
        Option.isSome(socket) && Option.isSome(agent) && socket.value.uid !== agent.value.uid))
    return [
      ...silent.map((problem) =>
        mend(
          name,
          problem,
          "systemctl start felhom-agent-smart.socket felhom-agent-mount.socket felhom-agent-pct-create.socket"
        )
      ),
      ...strangers.map((verb) =>
        mend(
          name,
          `${folders.sockets}/${verb}.sock is not the agent's to ask: it belongs to another user than ${folders.state}`,
          `SocketUser= of felhom-agent-${verb}.socket (and its drop-ins) has to name the User= of felhom-agent.service; then: systemctl restart felhom-agent-${verb}.socket`
        )
      ),
      ...(silent.length === 0 && strangers.length === 0 ? [fine(name, `${RootVerb.literals.join(", ")} answer`)] : [])
    ]
  })
