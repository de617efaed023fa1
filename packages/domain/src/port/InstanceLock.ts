import { Context, type Effect, Schema, type Scope } from "effect"

/** Another daemon has the state folder, or the lock could not be placed in it. */
export class InstanceLockError extends Schema.TaggedError<InstanceLockError>()("InstanceLockError", {
  reason: Schema.Literal("held", "unwritable"),
  directory: Schema.String,
  /** The system's word, for example `EROFS`, `ENOSPC`; `EBUSY` for a folder that is held. */
  code: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return this.reason === "held"
      ? `another felhom-agent daemon uses ${this.directory} (${this.detail}); stop it, or give this one a state folder of its own (FELHOM_AGENT_STATE_DIR)`
      : `cannot lock the state folder ${this.directory}: ${this.detail}; make it a folder that the user running the agent can write, or name another one (FELHOM_AGENT_STATE_DIR)`
  }
}

/** One daemon per state folder, by a lock inside that folder; released with the scope, and void once its holder is dead. */
export class InstanceLock extends Context.Tag("felhom/domain/InstanceLock")<InstanceLock, {
  readonly acquire: (directory: string) => Effect.Effect<void, InstanceLockError, Scope.Scope>
}>() {}
