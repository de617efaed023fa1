import { Context, Effect, Option, Schema } from "effect"
import { DiskMark, type MarkRule } from "./Mount.ts"

/** The file on a disk by which it is known again. */
export const markFileName = ".felhom-disk"

/** A disk's mark could not be read or written, or is not the one that it has to be. */
export class MarkError extends Schema.TaggedError<MarkError>()("MarkError", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

/** The one file that the root side touches on a disk: read without following a link, and written once, where there is none. */
export class MarkFiles extends Context.Tag("felhom/privileged/MarkFiles")<MarkFiles, {
  /** None where there is no such file. */
  readonly read: (path: string) => Effect.Effect<Option.Option<string>, MarkError>
  readonly create: (path: string, text: string) => Effect.Effect<void, MarkError>
}>() {}

const MarkText = Schema.parseJson(Schema.Struct({ typ: Schema.Literal("felhom/disk/v1"), mark: DiskMark }))
const decode = Schema.decodeOption(MarkText, { onExcessProperty: "error" })
const encode = Schema.encodeSync(MarkText)

/** The mark of the disk that is mounted at the place, held against the rule. */
export const markOf = (
  mountPoint: string,
  { mark, rule }: MarkRule
): Effect.Effect<DiskMark, MarkError, MarkFiles> =>
  Effect.gen(function*() {
    const files = yield* MarkFiles
    const path = `${mountPoint}/${markFileName}`
    const text = yield* files.read(path)
    if (Option.isNone(text)) {
      if (rule === "same") {
        return yield* new MarkError({
          path,
          detail:
            "the disk has the right UUID and not our mark: it was formatted anew or copied. Look at what is on it; " +
            "felhom-agent disks adopt NAME takes it as it is"
        })
      }
      yield* files.create(path, `${encode({ typ: "felhom/disk/v1", mark })}\n`)
      return mark
    }
    const found = decode(text.value)
    if (Option.isNone(found)) {
      return yield* new MarkError({
        path,
        detail: "it is no mark that felhom-agent writes: look at it, and move it away"
      })
    }
    if (rule !== "any" && found.value.mark !== mark) {
      return yield* new MarkError({
        path,
        detail:
          "the disk has the right UUID and another mark than the one that this host knows: it is a copy, or another " +
          "host's. felhom-agent disks adopt NAME takes it as it is"
      })
    }
    return found.value.mark
  })
