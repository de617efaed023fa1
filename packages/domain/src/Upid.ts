import { Either, type ParseResult, Schema } from "effect"
import { EpochSeconds } from "./Time.ts"

const pattern =
  /^UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s/]+):([^:\s/]*):([^:\s/]+):$/

/** A task's handle in the text form that Proxmox VE gives and takes (platform-facts 4.1). */
export const Upid = Schema.String.pipe(
  Schema.pattern(pattern, { message: () => "not a UPID (UPID:node:pid:pstart:starttime:type:id:user:)" }),
  Schema.brand("Upid")
)
export type Upid = typeof Upid.Type

/**
 * A UPID taken apart (platform-facts 4.1).
 *
 * `pstart` is in clock ticks since the node's boot, `startTime` in seconds since the epoch; `id` is often a vmid, but may be
 * empty or `101@storage`; `user` is the full token id of the caller for a task that a token started.
 */
export class UpidParts extends Schema.Class<UpidParts>("UpidParts")({
  node: Schema.String,
  pid: Schema.NonNegativeInt,
  pstart: Schema.NonNegativeInt,
  startTime: EpochSeconds,
  type: Schema.NonEmptyString,
  id: Schema.String,
  user: Schema.NonEmptyString
}) {}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0")

/** Encodes with `%08X` for the three numbers, as pve-common does. */
export const formatUpid = (parts: UpidParts): Upid =>
  Upid.make(
    `UPID:${parts.node}:${hex(parts.pid)}:${hex(parts.pstart)}:${
      hex(parts.startTime)
    }:${parts.type}:${parts.id}:${parts.user}:`
  )

/** Takes a UPID apart; `Left` when the text is not one (a PBS UPID, for instance, has one more field). */
export const parseUpid = (text: string): Either.Either<UpidParts, ParseResult.ParseError> =>
  Either.flatMap(Schema.decodeUnknownEither(Upid)(text), (upid) => {
    const [, node, pid = "", pstart = "", startTime = "", type, id, user] = pattern.exec(upid) ?? []
    return Schema.decodeUnknownEither(UpidParts)({
      node,
      pid: Number.parseInt(pid, 16),
      pstart: Number.parseInt(pstart, 16),
      startTime: Number.parseInt(startTime, 16),
      type,
      id,
      user
    })
  })
