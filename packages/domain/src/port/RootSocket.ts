import { Context, type Effect, Schema } from "effect"

/** The root side's three verbs; each has a socket, a unit and a closed schema of its own. */
export const RootVerb = Schema.Literal("pct-create", "mount", "smart")
export type RootVerb = typeof RootVerb.Type

/** The root helper behind a socket could not be asked, or gave no proper answer. */
export class RootSocketError extends Schema.TaggedError<RootSocketError>()("RootSocketError", {
  verb: RootVerb,
  reason: Schema.Literal("absent", "refused", "timeout", "oversized", "closed"),
  detail: Schema.String
}) {
  override get message(): string {
    return `root helper for ${this.verb}: ${this.reason} (${this.detail}); see systemctl status felhom-agent-${this.verb}.socket`
  }
}

/** One JSON line in, one JSON line out, each at most 8 KiB, over the verb's unix socket. */
export class RootSocket extends Context.Tag("felhom/domain/RootSocket")<RootSocket, {
  readonly exchange: (verb: RootVerb, line: string) => Effect.Effect<string, RootSocketError>
}>() {}
