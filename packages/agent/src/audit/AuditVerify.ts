import { displayTextWithin } from "@felhom/domain/DisplayText"
import type { Crypto } from "@felhom/domain/port/Crypto"
import { DurableFile, type DurableFileError } from "@felhom/domain/port/DurableFile"
import type { Sha256Hex } from "@felhom/domain/Sha256"
import { auditLogName, type AuditVerdict, verifyAudit } from "@felhom/durable/AuditVerdict"
import { Console, Effect, Option, Schema } from "effect"

/** The chain is not what was written, or is not there. What is wrong was printed already. */
export class AuditBroken extends Schema.TaggedError<AuditBroken>()("AuditBroken", { path: Schema.String }) {
  override get message(): string {
    return `${this.path} is broken: keep a copy of it, and compare with what the hub has of it`
  }
}

interface VerifyOptions {
  readonly directory: string
  readonly output: "text" | "json"
  /** How many entries there were at least, from a report or an earlier look. */
  readonly entries: Option.Option<number>
  /** The hash of one of them; of that number, if it is given. */
  readonly head: Option.Option<Sha256Hex>
}

const asText = (path: string, { breaks, cutOff, head, links }: AuditVerdict): string => {
  const last = links.at(-1)
  const until = last === undefined ? "" : `, the last of ${new Date(last.at).toISOString()} (${last.entry._tag})`
  const torn = cutOff === 0 ? [] : [`note    the last ${cutOff} bytes were cut off by a crash; nobody was told of them`]
  return breaks.length === 0
    ? [
      `whole   ${path}: ${head.length} ${head.length === 1 ? "entry" : "entries"}${until}`,
      `head    ${head.head}`,
      ...torn
    ].join("\n")
    : [
      `BROKEN  ${path}`,
      ...breaks.map(({ detail, kind }) => `        ${kind}: ${displayTextWithin(detail, 300)}`),
      ...torn
    ]
      .join("\n")
}

/** Reads the chain file and prints whether it is whole; needs no daemon, and may run beside one. */
export const auditVerify = (
  options: VerifyOptions
): Effect.Effect<void, AuditBroken | DurableFileError, DurableFile | Crypto> =>
  Effect.gen(function*() {
    const path = `${options.directory.replace(/\/+$/, "")}/${auditLogName}.log`
    const files = yield* DurableFile
    const bytes = yield* files.read(path)
    if (Option.isNone(bytes)) {
      yield* Console.log(
        options.output === "json"
          ? JSON.stringify({
            path,
            whole: false,
            entries: 0,
            head: null,
            breaks: [{ kind: "missing-file", seq: null }]
          })
          : `BROKEN  ${path}: there is no such file; the daemon begins it after its first report`
      )
      return yield* new AuditBroken({ path })
    }
    const verdict = yield* verifyAudit(bytes.value, { length: options.entries, head: options.head })
    const whole = verdict.breaks.length === 0
    yield* Console.log(
      options.output === "json"
        ? JSON.stringify({
          path,
          whole,
          entries: verdict.head.length,
          head: verdict.head.head,
          breaks: verdict.breaks,
          cutOff: verdict.cutOff
        })
        : asText(path, verdict)
    )
    if (!whole) return yield* new AuditBroken({ path })
  })
