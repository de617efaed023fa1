import { ClippedText } from "@felhom/domain/ClippedText"
import { GoldenName, GoldenVersion, longestGolden, TemplateVolid } from "@felhom/domain/GoldenManifest"
import type { DurableFile } from "@felhom/domain/port/DurableFile"
import { StorageId, Vmid, Volid } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import { Upid } from "@felhom/domain/Upid"
import { type KeptDocumentError, makeKeptDocument } from "@felhom/durable/KeptDocument"
import { Context, Effect, Layer, Option, Schema } from "effect"

/** What a golden image is to be built from, and where. */
export const GoldenOrder = Schema.Struct({
  name: GoldenName,
  version: GoldenVersion,
  template: TemplateVolid,
  /** Where the container's root volume is made. */
  storage: StorageId,
  /** Where the archive is written. */
  backupStorage: StorageId,
  rootGiB: Schema.Int.pipe(Schema.between(1, 1024)),
  cores: Schema.Int.pipe(Schema.between(1, 128)),
  memoryMiB: Schema.Int.pipe(Schema.between(16, 1_048_576)),
  bridge: Schema.String.pipe(
    Schema.pattern(/^[a-zA-Z][a-zA-Z0-9_]{0,14}$/, { message: () => "not the name of a bridge" })
  ),
  /** How long its first boot may take. */
  firstBootMinutes: Schema.Int.pipe(Schema.between(1, 240))
})
export type GoldenOrder = typeof GoldenOrder.Type

/**
 * How far a build has come. `chosen`: the container may have been asked for. `created`: it stands, and is known to be ours.
 * `starting`: its one start may have been asked for. `booted`: it has powered itself off. `dumping`: the archive may have been asked
 * for. `dumped`: it is written. `drafted`: its manifest is. `done`: the container is gone. `failed`: nothing more is done for it.
 */
export const BuildStage = Schema.Literal(
  "chosen",
  "created",
  "starting",
  "booted",
  "dumping",
  "dumped",
  "drafted",
  "done",
  "failed"
)
export type BuildStage = typeof BuildStage.Type

/** One build, as the host has it on record. */
export const GoldenBuild = Schema.Struct({
  order: GoldenOrder,
  /** Nobody else's: by it the container is known again before anything else of it is. */
  hostname: Schema.NonEmptyString.pipe(Schema.maxLength(63)),
  vmid: Vmid,
  begunAt: EpochMillis,
  stage: BuildStage,
  /** Root's task that made the container. */
  createUpid: Schema.NullOr(Upid),
  /** Who the container is, as one text; null until it was read. */
  identity: Schema.NullOr(Schema.NonEmptyString.pipe(Schema.maxLength(256))),
  /** When its archive was asked for. */
  dumpAt: Schema.NullOr(EpochMillis),
  dumpUpid: Schema.NullOr(Upid),
  volid: Schema.NullOr(Volid),
  /** The text of its manifest, for operators to sign. */
  draft: Schema.NullOr(Schema.String.pipe(Schema.maxLength(longestGolden))),
  /** What held it up last, or what came of it. */
  said: ClippedText(2048)
})
export type GoldenBuild = typeof GoldenBuild.Type

const Kept = Schema.Struct({ typ: Schema.Literal("felhom/golden-builds/v1"), builds: Schema.Array(GoldenBuild) })

/** The last build of each name. Each step is on the disk before it is taken. */
export class GoldenBuilds extends Context.Tag("felhom/reconciler/GoldenBuilds")<GoldenBuilds, {
  readonly all: Effect.Effect<ReadonlyArray<GoldenBuild>, KeptDocumentError>
  /** In the place of the one of its name. On the disk when it answers with it. */
  readonly put: (build: GoldenBuild) => Effect.Effect<GoldenBuild, KeptDocumentError>
  readonly drop: (name: GoldenName) => Effect.Effect<void, KeptDocumentError>
}>() {}

/** Keeps `golden-builds.json` in the state folder. */
export const make = (directory: string): Effect.Effect<typeof GoldenBuilds.Service, never, DurableFile> =>
  Effect.gen(function*() {
    const kept = yield* makeKeptDocument({
      path: `${directory.replace(/\/+$/, "")}/golden-builds.json`,
      schema: Kept,
      understand: () => Effect.void
    })
    const buildsIn = (found: Option.Option<typeof Kept.Type>): ReadonlyArray<GoldenBuild> =>
      Option.match(found, { onNone: () => [], onSome: ({ builds }) => builds })
    const without = (name: GoldenName) => (found: Option.Option<typeof Kept.Type>) =>
      buildsIn(found).filter(({ order }) => order.name !== name)
    const typ = "felhom/golden-builds/v1" as const
    return GoldenBuilds.of({
      all: Effect.map(kept.current, buildsIn),
      put: (build) =>
        Effect.as(
          kept.change((found) => Effect.succeed({ typ, builds: [...without(build.order.name)(found), build] })),
          build
        ),
      drop: (name) => Effect.asVoid(kept.change((found) => Effect.succeed({ typ, builds: without(name)(found) })))
    })
  })

/** What `make` keeps. */
export const layer = (directory: string): Layer.Layer<GoldenBuilds, never, DurableFile> =>
  Layer.effect(GoldenBuilds, make(directory)).pipe(Layer.ensureRequirementsType<DurableFile>())
