import type { CommandExecutor } from "@effect/platform"
import { Effect, Either, Option } from "effect"
import { type BlockDevice, parseLsblk } from "./BlockDevice.ts"
import { listed, placed, verdictOf } from "./DiskVerdict.ts"
import { type MarkFiles, markOf } from "./MarkFiles.ts"
import {
  type DiskMark,
  lsblkArgv,
  type MarkRule,
  type MountName,
  mountPointOf,
  type MountRequest,
  type MountResult,
  systemctlArgv
} from "./Mount.ts"
import { type MountEntry, parseMountInfo } from "./MountInfo.ts"
import { type MountUnit, parseUnit, unitNameOf, unitText } from "./MountUnit.ts"
import { PrivilegedError } from "./Privileged.ts"
import { problemWords } from "./ProblemWords.ts"
import { mountExchange } from "./RootExchange.ts"
import { outputOf, type RootCommand } from "./RunCommand.ts"
import { UnitFiles } from "./UnitFiles.ts"
import { validated } from "./Validated.ts"

type Needs = CommandExecutor.CommandExecutor | UnitFiles | MarkFiles

const failed = (detail: string) => new PrivilegedError({ verb: "mount", reason: "failed", detail })
const refused = (detail: string) => new PrivilegedError({ verb: "mount", reason: "refused", detail })

const lsblk: RootCommand = {
  verb: "mount",
  argv: lsblkArgv,
  seconds: 10,
  install: "apt install util-linux",
  late: "a disk does not answer; look at dmesg"
}

const systemctl = (...of: Parameters<typeof systemctlArgv>) =>
  outputOf({
    verb: "mount",
    argv: systemctlArgv(...of),
    // For what waits for the disk longer than the unit's own TimeoutSec, so that it is PID 1 who gives up.
    seconds: of[0] === "start" || of[0] === "stop" ? 110 : 20,
    install: "this host does not run systemd",
    late: `whether it was done is not known: look with systemctl status ${of.slice(1).join(" ")}`
  })

const devices: Effect.Effect<ReadonlyArray<BlockDevice>, PrivilegedError, CommandExecutor.CommandExecutor> = Effect
  .flatMap(outputOf(lsblk), (output) =>
    Effect.mapError(parseLsblk(output), (issue) =>
      new PrivilegedError({
        verb: "mount",
        reason: "malformed",
        detail: `lsblk answered in a form that is not known here: ${problemWords(issue)}`
      })))

/** What is mounted where a name stands for; of several on top of each other, the one that is seen. */
const mountedAs = (name: MountName): Effect.Effect<MountEntry | undefined, PrivilegedError, UnitFiles> =>
  Effect.flatMap(UnitFiles, (files) => files.mountInfo).pipe(
    Effect.map((text) => parseMountInfo(text).findLast(({ mountPoint }) => mountPoint === mountPointOf(name))),
    Effect.mapError((error) => failed(error.message))
  )

/** The unit file of that name, if it was written here; one that was not is nobody's to touch but its author's. */
const ownUnit = (name: MountName): Effect.Effect<MountUnit | undefined, PrivilegedError, UnitFiles> =>
  Effect.gen(function*() {
    const files = yield* UnitFiles
    const text = yield* Effect.mapError(files.read(unitNameOf(name)), (error) => failed(error.message))
    if (Option.isNone(text)) return undefined
    const unit = parseUnit(text.value)
    return unit === undefined
      ? yield* refused(`${unitNameOf(name)} is there and was written by somebody else: take another name`)
      : unit
  })

const guarded = ["nosuid", "nodev", "noexec"]

/** Only what the kernel says proves that it is mounted, and as it should be. */
const provenMounted = (unit: MountUnit, path: string): Effect.Effect<void, PrivilegedError, UnitFiles> =>
  Effect.flatMap(mountedAs(unit.name), (entry) => {
    const at = mountPointOf(unit.name)
    if (entry === undefined) return failed(`systemd said that ${at} is mounted, and the kernel knows of no such mount`)
    if (entry.source !== path) return failed(`${at} is mounted from ${entry.source}, where ${path} was asked for`)
    const lacks = guarded.filter((option) => !entry.options.includes(option))
    return lacks.length === 0 ? Effect.void : failed(`${at} was mounted without ${lacks.join(", ")}`)
  })

/** Takes back all of a mount: unmounted, not enabled, no file. What of that fails is told. */
const takenBack = (name: MountName): Effect.Effect<void, PrivilegedError, Needs> =>
  Effect.gen(function*() {
    const files = yield* UnitFiles
    const unit = unitNameOf(name)
    // A unit that PID 1 never read can't be stopped, and need not be.
    const stopped = yield* Effect.either(systemctl("stop", unit))
    const left = yield* mountedAs(name)
    if (left !== undefined) {
      const why = Either.isLeft(stopped) ? `: ${stopped.left.detail}` : ""
      return yield* failed(`${mountPointOf(name)} is still mounted${why}`)
    }
    yield* systemctl("disable", unit)
    yield* Effect.mapError(files.remove(unit), (error) => failed(error.message))
    yield* systemctl("daemon-reload")
  })

const mount = (unit: MountUnit, path: string): Effect.Effect<void, PrivilegedError, Needs> =>
  Effect.gen(function*() {
    const files = yield* UnitFiles
    const name = unitNameOf(unit.name)
    yield* Effect.mapError(files.write(name, unitText(unit)), (error) => failed(error.message))
    yield* Effect.gen(function*() {
      yield* systemctl("daemon-reload")
      yield* systemctl("start", name)
      yield* provenMounted(unit, path)
      yield* systemctl("enable", name)
    }).pipe(
      Effect.catchAll((error) =>
        takenBack(unit.name).pipe(
          Effect.matchEffect({
            onSuccess: () => error,
            onFailure: (second) =>
              failed(
                `${error.detail}. It could not be taken back, either: ${second.detail}. ` +
                  `Look with systemctl status ${name}, and eject ${unit.name} when that is mended`
              )
          })
        )
      )
    )
  })

const mountAsked = (uuid: MountUnit["uuid"], name: MountName): Effect.Effect<void, PrivilegedError, Needs> =>
  Effect.gen(function*() {
    const all = placed(yield* devices)
    const asked = all.find(({ device }) => device.uuid === uuid)
    if (asked === undefined) return yield* refused(`no disk with the UUID ${uuid} is plugged in; list shows which are`)
    const before = yield* ownUnit(name)
    if (before !== undefined && before.uuid !== uuid) {
      return yield* refused(`${name} is the name of the disk ${before.uuid}: eject that first, or take another name`)
    }
    const entry = yield* mountedAs(name)
    // Asked for twice, as after an answer that was lost: it is as it should be.
    if (before !== undefined && entry?.source === asked.device.path) return yield* provenMounted(before, entry.source)
    if (entry !== undefined) {
      return yield* refused(`${mountPointOf(name)} is taken: ${entry.source} is mounted there`)
    }
    const verdict = verdictOf(asked, all)
    if (!verdict.mountable) return yield* refused(verdict.why)
    yield* mount({ uuid, name, type: verdict.type }, asked.device.path)
  })

/** The mark of the disk that is mounted there; one whose mark does not hold is not left mounted. */
const provenMarked = (name: MountName, marked: MarkRule): Effect.Effect<DiskMark, PrivilegedError, Needs> =>
  markOf(mountPointOf(name), marked).pipe(
    Effect.catchAll((why) =>
      Effect.matchEffect(takenBack(name), {
        onSuccess: () => refused(why.message),
        onFailure: (second) =>
          failed(`${why.message}. It is still mounted, as it could not be taken back: ${second.detail}`)
      })
    )
  )

const eject = (name: MountName): Effect.Effect<void, PrivilegedError, Needs> =>
  Effect.gen(function*() {
    if ((yield* ownUnit(name)) === undefined) return yield* refused(`no disk is mounted under the name ${name}`)
    yield* Effect.mapError(takenBack(name), (error) =>
      failed(
        `${error.detail}; if a program still uses it, end that (fuser --mount ${mountPointOf(name)}) and eject again`
      ))
  })

/**
 * The verb `mount`, done here. It writes one unit file and asks PID 1 for the rest; whatever goes wrong on the way, it is all there or
 * nothing of it is. It can't be interrupted.
 */
export const mountVerb = (unchecked: MountRequest): Effect.Effect<MountResult, PrivilegedError, Needs> =>
  Effect.gen(function*() {
    const request = yield* validated(mountExchange, unchecked)
    const { action } = request
    if (action === "list") return { action, ...listed(yield* devices) }
    const done = { action, mountPoint: mountPointOf(request.name) }
    if (action === "eject") return yield* Effect.as(eject(request.name), done)
    yield* mountAsked(request.uuid, request.name)
    return request.marked === undefined ? done : { ...done, mark: yield* provenMarked(request.name, request.marked) }
  }).pipe(Effect.uninterruptible)
