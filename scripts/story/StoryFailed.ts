import { Data } from "effect"

/** The story can't go on: what was expected did not happen. */
export class StoryFailed extends Data.TaggedError("StoryFailed")<{ readonly message: string }> {}
