import { Effect, Schema, type Scope } from "effect"
import type { Server } from "node:net"

/** A port could not be had. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  reason: Schema.Literal("in-use", "not-permitted", "not-loopback", "other"),
  address: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const next = {
      "in-use": "something else listens there; stop it, or choose another port (0 takes a free one)",
      "not-permitted": "ports below 1024 need root; choose a higher one",
      "not-loopback":
        "the control port lets anybody change the simulated host, so it listens on a loopback address only",
      "other": this.detail
    }[this.reason]
    return `cannot listen on ${this.address}: ${next}`
  }
}

const reasonOf = (code: string | undefined): ListenFailed["reason"] =>
  code === "EADDRINUSE" ? "in-use" : code === "EACCES" ? "not-permitted" : "other"

/** Listens until the scope ends; gives the port, which is a free one where 0 was asked for. */
export const listen = (
  server: Server,
  at: { readonly host: string; readonly port: number }
): Effect.Effect<number, ListenFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<number, ListenFailed>((resume) => {
      const failed = (error: NodeJS.ErrnoException) =>
        resume(Effect.fail(
          new ListenFailed({ reason: reasonOf(error.code), address: `${at.host}:${at.port}`, detail: error.message })
        ))
      server.once("error", failed)
      server.listen(at.port, at.host, () => {
        server.off("error", failed)
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : at.port))
      })
    }),
    () => Effect.sync(() => server.close())
  )
