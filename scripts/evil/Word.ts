import type { RefusalReason } from "@felhom/authz/OpRefused"
import type { SignersReason } from "@felhom/authz/SignersRefused"
import type { HostEvent, KnownEventKind } from "@felhom/domain/HostEvent"
import type { DesiredRefused } from "@felhom/reconciler/desired/DesiredRefused"

/** By what the agent shows that it noticed an attack, and why it did nothing. */
export type Word =
  /** An event of this kind about the op, or about the host itself where the attack is no op. */
  | {
    readonly _tag: "told"
    readonly kind: KnownEventKind
    readonly message: RegExp
  }
  /** An op that it knows already is received again without a word; asked at the host, the agent says so. */
  | { readonly _tag: "known" }

const told = (kind: KnownEventKind, message: RegExp): Word => ({ _tag: "told", kind, message })

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** The op is refused for exactly this reason, in these words. */
export const refused = (reason: RefusalReason, detail = /./): Word =>
  told("op.refused", new RegExp(`refused \\(${escaped(reason)}\\): .*${detail.source}`))

/** Its signatures hold, and at the head of the queue the target turns out not to be what the operator was shown. */
export const notWhatWasShown = (detail: RegExp): Word =>
  told("op.failed", new RegExp(`it was not begun: this is not what the operator was shown: .*${detail.source}`))

/** The version of the fleet's signers is refused for exactly this reason. */
export const signersRefused = (reason: SignersReason, detail = /./): Word =>
  told("signers.refused", new RegExp(`signers refused \\(${escaped(reason)}\\): .*${detail.source}`))

/** The desired state is refused for exactly this reason. */
export const desiredRefused = (reason: DesiredRefused["reason"], detail = /./): Word =>
  told("desired.refused", new RegExp(`desired state refused \\(${escaped(reason)}\\): .*${detail.source}`))

/** It says of its hub that this is none it can work with. */
export const badHub = (kind: "hub.refused" | "hub.unreachable", message: RegExp): Word => told(kind, message)

export const known: Word = { _tag: "known" }

/** Kinds of events that are about something that was sent, whose SHA-256 is their subject. */
const aboutBytes = /^(?:op|signers|desired)\./

/** Whether an event is that word, about one of these subjects if it is about something that was sent. */
export const isWord = (word: Word, { kind, message, subject }: HostEvent, subjects: ReadonlySet<string>): boolean =>
  word._tag === "told" && kind === word.kind && word.message.test(message) &&
  (!aboutBytes.test(kind) || subjects.has(subject ?? ""))

/** For a person who waits for it in vain. */
export const wordText = (word: Word): string =>
  word._tag === "known" ? "that it knows the op" : `${word.kind} with ${word.message.source}`
