import type { Notice, NoticeChannel } from "@felhom/domain/AlarmApi"
import { Context, type Effect, Layer, Schema } from "effect"

/** A notice did not get through a channel. The detail holds no secret. */
export class NoticeError extends Schema.TaggedError<NoticeError>()("NoticeError", {
  channel: Schema.Literal("webhook", "mail"),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

/** One way to reach people. */
export interface Channel {
  readonly channel: NoticeChannel["channel"]
  /** Where it leads, without what is secret in it. */
  readonly target: string
  /** Succeeds once the other side took it. Tried once, within a time of its own. */
  readonly send: (notice: Notice) => Effect.Effect<void, NoticeError>
}

/** The channels that the hub's operator set up; there may be none. */
export class NoticeChannels extends Context.Tag("felhom/hub/NoticeChannels")<NoticeChannels, ReadonlyArray<Channel>>() {
  static readonly layer = (channels: ReadonlyArray<Channel>): Layer.Layer<NoticeChannels> =>
    Layer.succeed(NoticeChannels, channels)
}
