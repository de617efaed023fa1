import { Schema } from "effect"
import { EpochMillis } from "./Time.ts"

/** The kinds of events that this version makes. A hub keeps kinds that it does not know. */
export const knownEventKinds = [
  "agent.started",
  "agent.stopped",
  "proxmox.refused",
  "proxmox.unreachable",
  "proxmox.recovered",
  "hub.refused",
  "hub.unreachable",
  "hub.recovered",
  "guest.appeared",
  "guest.disappeared",
  "guest.changed",
  "storage.offline",
  "storage.online",
  "storage.kept",
  "storage.trouble",
  "disk.mounted",
  "disk.missing",
  "disk.refused",
  "disk.ejected",
  "disk.due",
  "health.changed",
  "state.unwritable",
  "state.recovered",
  "state.unreadable",
  "envelope.ignored",
  "op.accepted",
  "op.refused",
  "op.waiting",
  "op.started",
  "op.finished",
  "op.failed",
  "op.unknown",
  "hold.set",
  "hold.released",
  "signers.accepted",
  "signers.refused",
  "policy.changed",
  "desired.refused",
  "desired.started",
  "desired.done",
  "desired.failed",
  "desired.unknown",
  "desired.waiting",
  "desired.blocked",
  "desired.epoch"
] as const
export type KnownEventKind = (typeof knownEventKinds)[number]

export const EventSeverity = Schema.Literal("info", "warning", "critical")
export type EventSeverity = typeof EventSeverity.Type

/**
 * Something that happened on a host. `seq` counts from 1 without gaps for one host epoch and is what the hub acknowledges
 * and tells a resent event by; a gap on the hub is therefore a lost event.
 */
export const HostEvent = Schema.Struct({
  seq: Schema.Int.pipe(Schema.positive()),
  at: EpochMillis,
  kind: Schema.String.pipe(Schema.pattern(/^[a-z]+(?:[.-][a-z]+)*$/), Schema.maxLength(64)),
  severity: EventSeverity,
  /** What it is about, for example `lxc/101` or a storage id; null for the host itself. */
  subject: Schema.NullOr(Schema.String.pipe(Schema.maxLength(256))),
  message: Schema.String.pipe(Schema.maxLength(2048))
})
export type HostEvent = typeof HostEvent.Type
