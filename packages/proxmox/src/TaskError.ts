import { displayTextWithin } from "@felhom/domain/DisplayText"
import { TaskOutcome } from "@felhom/domain/TaskOutcome"
import { Upid } from "@felhom/domain/Upid"
import { Schema } from "effect"

const shown = (text: string): string => displayTextWithin(text.trim(), 400)

/** A task that this agent did not start on this node: it is not waited for, so that its end is never taken for ours. */
export class ForeignTask extends Schema.TaggedError<ForeignTask>()("ForeignTask", {
  upid: Upid,
  node: Schema.String,
  tokenId: Schema.String
}) {
  override get message(): string {
    return `${shown(this.upid)} is no task of ${shown(this.tokenId)} on ${
      shown(this.node)
    }, so it is not waited for. ` +
      "If the agent's token or node name was changed, look for the task's effect on the host"
  }
}

/** A task that is not known to have done its work. `outcome` says whether it failed or whether nobody can tell. */
export class TaskNotOk extends Schema.TaggedError<TaskNotOk>()("TaskNotOk", {
  /** What the task was to do, in words that follow "could not": `snapshot lxc/101`. */
  what: Schema.String,
  outcome: TaskOutcome
}) {
  override get message(): string {
    switch (this.outcome._tag) {
      case "failed":
        return `could not ${this.what}: ${shown(this.outcome.exitStatus)}${this.#log(this.outcome.logTail)}`
      case "unknown":
        return `nobody can tell whether the agent could ${this.what}: ${shown(this.outcome.reason)}. ` +
          `Look for its effect before it is asked for again; task ${shown(this.outcome.upid)}${
            this.#log(this.outcome.logTail)
          }`
      default:
        return `${this.what}: ${this.outcome._tag}`
    }
  }

  #log(tail: ReadonlyArray<string>): string {
    return tail.length === 0 ? "" : `\n${tail.map((line) => `  ${displayTextWithin(line, 200)}`).join("\n")}`
  }
}
