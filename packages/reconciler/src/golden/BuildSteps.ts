import { encodeGolden, type GoldenBytes, goldenType } from "@felhom/domain/GoldenManifest"
import type { HostId } from "@felhom/domain/HostId"
import type { GuestRef } from "@felhom/domain/ProxmoxId"
import { EpochMillis } from "@felhom/domain/Time"
import type { DurableLogError } from "@felhom/durable/DurableLogError"
import type { KeptDocumentError } from "@felhom/durable/KeptDocument"
import { OpJournal } from "@felhom/durable/OpJournal"
import { Privileged, type PrivilegedError } from "@felhom/privileged/Privileged"
import { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import type { ForeignTask } from "@felhom/proxmox/TaskError"
import { TaskWaiter } from "@felhom/proxmox/TaskWaiter"
import { Clock, Data, Duration, Effect, Either } from "effect"
import { patiently } from "../make/Patience.ts"
import { configOf, identityOf } from "../make/Removal.ts"
import { standingTrouble } from "../make/Standing.ts"
import { rawText } from "../plan/Finding.ts"
import { guestOpLine } from "../plan/OpLine.ts"
import { ArchiveBytes } from "./ArchiveBytes.ts"
import { archivePlace } from "./ArchivePlace.ts"
import { archiveOf, notDone, rootTaskEnd, startsOf, taskOf } from "./BuildTasks.ts"
import { type GoldenBuild, GoldenBuilds } from "./GoldenBuilds.ts"
import type { GoldenRefused } from "./GoldenRefused.ts"
import { type Architecture, goldenConfigTrouble, seeArchive } from "./SeenArchive.ts"

/** It goes no further: for good (`failed`), or until it is resumed. */
export class Halted extends Data.TaggedError("Halted")<{ readonly failed: boolean; readonly why: string }> {}

export const failed = (why: string): Halted => new Halted({ failed: true, why })
export const heldUp = (why: string): Halted => new Halted({ failed: false, why })

/** Where it is built. */
export interface BuildHost {
  readonly host: HostId
  readonly architecture: Architecture
}

export type StepNeeds = ProxmoxClient | TaskWaiter | OpJournal | Privileged | ArchiveBytes | GoldenBuilds
export type StepTrouble = Halted | GoldenRefused | ProxmoxError | ForeignTask | DurableLogError | KeptDocumentError

export type Step = Effect.Effect<GoldenBuild, StepTrouble, StepNeeds>

export const refOf = ({ vmid }: Pick<GoldenBuild, "vmid">): GuestRef => ({ type: "lxc", vmid })

const put = (build: GoldenBuild) => Effect.flatMap(GoldenBuilds, (builds) => builds.put(build))

const called = ({ order: { name, version } }: GoldenBuild): string => `golden image ${name} version ${version}`

const lookingAfter = ({ vmid }: GoldenBuild): string => `look at CT ${vmid} on the host`

/** The container that stands under the build's number, if it is the build's. */
const ownContainer = (build: GoldenBuild) =>
  Effect.gen(function*() {
    const config = yield* configOf(refOf(build))
    if (config === undefined) return yield* failed(`CT ${build.vmid} is not there any more; somebody has removed it`)
    return build.identity !== null && identityOf(refOf(build), config) !== build.identity
      ? yield* failed(`CT ${build.vmid} is another guest by now, which is left alone`)
      : config
  })

/** Asks the root side once; what stands then is found by root's own task, whatever it answered. */
export const create = (build: GoldenBuild, fresh: boolean): Step =>
  Effect.gen(function*() {
    const { bridge, cores, memoryMiB, rootGiB, storage, template } = build.order
    const request = { vmid: build.vmid, template, storage, rootGiB, hostname: build.hostname, cores, memoryMiB, bridge }
    const asked: Either.Either<unknown, PrivilegedError> | undefined = fresh
      ? yield* Effect.either((yield* Privileged).pctCreate(request))
      : undefined
    const said = asked?._tag === "Left" ? asked.left.message : asked === undefined
      ? `the agent stopped before it asked for the container, or just as it did; ${lookingAfter(build)}`
      : "pct said that it made the container"
    const upid = yield* taskOf(build, "vzcreate", build.begunAt, "root")
    if (upid === undefined) {
      return yield* failed(
        asked?._tag === "Right"
          ? `${said}, and the token sees no task of it: does its role have Sys.Audit? ${lookingAfter(build)}`
          : `no container was made: ${said}`
      )
    }
    const end = yield* rootTaskEnd(upid)
    const config = yield* configOf(refOf(build))
    if (config === undefined) return yield* failed(`no container was made: ${asked === undefined ? end : said}`)
    if (rawText(config["lock"]) === "create") {
      const way = `root does on the host: pct unlock ${build.vmid} && pct destroy ${build.vmid}`
      return yield* failed(`CT ${build.vmid} was made by half (${end}) and is locked, which no token can clear; ${way}`)
    }
    if (rawText(config["hostname"]) !== build.hostname) {
      return yield* failed(`CT ${build.vmid} is not the one that was asked for, and is left alone; ${said}`)
    }
    if (end !== "OK" && !/^WARNINGS: \d+$/.test(end)) {
      const way = `root does on the host: pct destroy ${build.vmid}`
      return yield* failed(
        `CT ${build.vmid} stands, and the task that made it did not end well (${end}; ${upid}); ${way}`
      )
    }
    const identity = identityOf(refOf(build), config)
    yield* (yield* OpJournal).made({ guest: refOf(build), identity }, { _tag: "ok", upid })
    return yield* put({ ...build, stage: "created", createUpid: upid, identity })
  })

/** Looks at what stands before it is started: never started, it can still be removed. */
export const prove = (host: BuildHost) => (build: GoldenBuild): Step =>
  Effect.gen(function*() {
    const config = yield* ownContainer(build)
    const features = rawText(config["features"]) ?? ""
    const missing = ["keyctl=1", "nesting=1"].filter((feature) => !features.split(",").includes(feature))
    const arch = rawText(config["arch"]) ?? host.architecture
    const trouble = standingTrouble(config, undefined) ??
      (missing.length > 0 ? `it lacks ${missing.join(" and ")}` : undefined) ??
      (arch === host.architecture
        ? undefined
        : `its template is for ${arch}, and this host is ${host.architecture}: take the ${host.architecture} one`)
    if (trouble !== undefined) {
      yield* removed(build)
      return yield* failed(`the container was not fit for an image: ${trouble}; it was never started, and is removed`)
    }
    return yield* put({ ...build, stage: "starting" })
  })

const lookEvery = "5 seconds"

/** A host sees nothing of what a container does inside; that it powers itself off is its word that the first boot is through. */
const poweredOff = (build: GoldenBuild) =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const { firstBootMinutes } = build.order
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(Duration.minutes(firstBootMinutes))
    while (true) {
      const { status } = yield* patiently(client.guestStatus(refOf(build)))
      if (status === "stopped") return
      if ((yield* Clock.currentTimeMillis) >= until) {
        return yield* heldUp(
          `CT ${build.vmid} still runs after ${firstBootMinutes} min: its first boot did not power it off. Look inside ` +
            `(pct enter ${build.vmid}; journalctl -u felhom-golden-build), then resume or discard the build`
        )
      }
      yield* Effect.sleep(lookEvery)
    }
  })

/** Started once: a second start would be an ordinary guest's, and leave its keys in the image. */
export const bootOnce = (build: GoldenBuild, fresh: boolean): Step =>
  Effect.gen(function*() {
    yield* ownContainer(build)
    const client = yield* ProxmoxClient
    const before = fresh ? undefined : yield* taskOf(build, "vzstart", build.begunAt, "ours")
    const upid = before ?? (yield* client.start(refOf(build)).pipe(
      Effect.catchIf(({ reason }) => reason === "outcome-unknown", (error) =>
        Effect.filterOrFail(
          taskOf(build, "vzstart", build.begunAt, "ours"),
          (found) => found !== undefined,
          () => heldUp(`its start was not answered: ${error.message}`)
        ))
    ))
    const why = notDone(yield* (yield* TaskWaiter).wait(upid))
    if (why !== undefined) return yield* failed(`CT ${build.vmid} does not start: ${why}`)
    yield* poweredOff(build)
    return yield* put({ ...build, stage: "booted" })
  })

/** Written down before it is asked for. */
export const intendDump = (build: GoldenBuild): Step =>
  Effect.gen(function*() {
    yield* ownContainer(build)
    const dumpAt = EpochMillis.make(yield* Clock.currentTimeMillis)
    return yield* put({ ...build, stage: "dumping", dumpAt, dumpUpid: null })
  })

const notes = ({ order: { name, template, version } }: GoldenBuild): string =>
  `felhom golden image ${name} version ${version}, from ${template}`

const asked = (build: GoldenBuild, fresh: boolean) =>
  Effect.gen(function*() {
    const since = build.dumpAt ?? build.begunAt
    const before = fresh ? undefined : yield* taskOf(build, "vzdump", since, "ours")
    if (before !== undefined) return before
    const client = yield* ProxmoxClient
    return yield* client.backUp(refOf(build), {
      storage: build.order.backupStorage,
      mode: "stop",
      notesTemplate: notes(build),
      protected: true
    }).pipe(
      Effect.catchIf(({ reason }) => reason === "outcome-unknown", (error) =>
        Effect.filterOrFail(
          taskOf(build, "vzdump", since, "ours"),
          (found) => found !== undefined,
          () => heldUp(`its backup was not answered: ${error.message}`)
        ))
    )
  })

/** Backs it up while it is off, protected, and without pruning anything. */
export const dump = (build: GoldenBuild, fresh: boolean): Step =>
  Effect.gen(function*() {
    const upid = build.dumpUpid ?? (yield* asked(build, fresh))
    yield* put({ ...build, dumpUpid: upid })
    const why = notDone(yield* (yield* TaskWaiter).wait(upid))
    if (why !== undefined) {
      // A failed backup leaves no archive behind (platform-facts 6.6): the next one is another.
      yield* put({ ...build, stage: "booted", dumpUpid: null })
      return yield* heldUp(`its backup was not done: ${why}; see the task ${upid}`)
    }
    const volid = yield* archiveOf(upid, build.order)
    return volid === undefined
      ? yield* failed(
        `the log of ${upid} does not say which archive it made; look for it on ${build.order.backupStorage}`
      )
      : yield* put({ ...build, stage: "dumped", dumpUpid: upid, volid })
  })

const readBytes = (build: GoldenBuild, volid: NonNullable<GoldenBuild["volid"]>, size: number) =>
  Effect.gen(function*() {
    const place = yield* archivePlace(volid)
    const found = yield* Effect.either(Effect.flatMap(place, (yield* ArchiveBytes).read))
    if (Either.isLeft(found)) return { unread: found.left.slice(0, 300) } satisfies GoldenBytes
    return found.right.size === size
      ? { sha256: found.right.sha256 } satisfies GoldenBytes
      : yield* failed(`${volid} has ${found.right.size} bytes here, and ${build.order.backupStorage} says ${size}`)
  })

/** Looks at the archive as every restore will, and writes the manifest's draft. */
export const draft = ({ architecture, host }: BuildHost) => (build: GoldenBuild): Step =>
  Effect.gen(function*() {
    const { volid } = build
    if (volid === null) return yield* failed("its archive is not on record")
    const starts = yield* startsOf(build)
    if (starts !== 1) {
      return yield* failed(
        `somebody has started CT ${build.vmid} again (${starts} starts), so ${volid} is no golden image`
      )
    }
    const seen = yield* seeArchive(volid, called(build))
    const trouble = goldenConfigTrouble(seen.config, architecture)
    if (trouble !== undefined) return yield* failed(`${volid} is no golden image: ${trouble}`)
    if (!seen.protected) yield* (yield* ProxmoxClient).annotateBackup(volid, { protect: true })
    const { name, template, version } = build.order
    const bytes = encodeGolden({
      typ: goldenType,
      name,
      version,
      volid,
      size: seen.size,
      bytes: yield* readBytes(build, volid, seen.size),
      config: seen.config,
      template,
      host,
      builtAt: EpochMillis.make(yield* Clock.currentTimeMillis)
    })
    return yield* put({ ...build, stage: "drafted", draft: new TextDecoder().decode(bytes) })
  })

/** Removes the build's container by the host's own record of having made it, while it is off and still who it was. */
export const removed = (build: GoldenBuild): Effect.Effect<void, StepTrouble, StepNeeds> =>
  Effect.gen(function*() {
    const client = yield* ProxmoxClient
    const journal = yield* OpJournal
    const ref = refOf(build)
    const line = guestOpLine("guest.destroy", client.node, ref)
    const left = (why: string) => failed(`CT ${build.vmid} is left as it is: ${why}; if it is not to stay: ${line}`)
    const { identity } = build
    if (identity === null) return yield* left("nothing says that this host made it")
    const config = yield* configOf(ref)
    if (config === undefined) return yield* journal.gone({ guest: ref, identity })
    if (identityOf(ref, config) !== identity) return yield* left("it is another guest by now")
    if ((yield* patiently(client.guestStatus(ref))).status !== "stopped") return yield* left("it runs")
    const mandate = yield* Effect.catchTag(
      journal.ownGuest({ op: "guest.destroy", guest: ref, unreferencedDisks: false }, identity),
      "NotOurs",
      ({ message }) => left(message)
    )
    const upid = yield* Effect.catchTag(client.destroyGuest(ref, mandate), "MandateRefused", ({ message }) =>
      left(message))
    const why = notDone(yield* (yield* TaskWaiter).wait(upid))
    if (why !== undefined) {
      return yield* left(`it could not be removed: ${why}`)
    }
    if ((yield* configOf(ref)) !== undefined) {
      return yield* left("its removal was asked for, and it is still there")
    }
    yield* journal.gone({ guest: ref, identity })
  })

/** The archive holds all of it: the container is not needed any more. */
export const tidy = (build: GoldenBuild): Step =>
  Effect.gen(function*() {
    const said = yield* removed(build).pipe(
      Effect.as(""),
      Effect.catchTag("Halted", ({ why }) => Effect.succeed(why))
    )
    return yield* put({ ...build, stage: "done", said })
  })
