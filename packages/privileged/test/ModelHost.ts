import { Command, CommandExecutor } from "@effect/platform"
import { SystemError } from "@effect/platform/Error"
import { MarkError, MarkFiles } from "@felhom/privileged/MarkFiles"
import { UnitFileError, UnitFiles } from "@felhom/privileged/UnitFiles"
import { Effect, Inspectable, Layer, Option, Sink, Stream } from "effect"

/** What a program does when it is run: it ends, is not there, or never ends. */
export type Answer =
  | { readonly exitCode: number; readonly stdout?: string; readonly stderr?: string }
  | "absent"
  | "hangs"

export interface Ran {
  readonly argv: ReadonlyArray<string>
  readonly environment: ReadonlyArray<string>
  readonly inherits: boolean
}

const bytes = (text: string) => Stream.make(new TextEncoder().encode(text))

const ended = (exitCode: number, stdout: string, stderr: string, hangs: boolean): CommandExecutor.Process => ({
  [CommandExecutor.ProcessTypeId]: CommandExecutor.ProcessTypeId,
  pid: CommandExecutor.ProcessId(1),
  exitCode: hangs ? Effect.never : Effect.succeed(CommandExecutor.ExitCode(exitCode)),
  isRunning: Effect.succeed(hangs),
  kill: () => Effect.void,
  stdin: Sink.drain,
  stdout: hangs ? Stream.never : bytes(stdout),
  stderr: hangs ? Stream.never : bytes(stderr),
  toJSON: () => "process",
  toString: () => "process",
  [Inspectable.NodeInspectSymbol]: () => "process"
})

/** Runs nothing: notes what it was asked to run, and answers. */
export const commands = (answer: (argv: ReadonlyArray<string>) => Answer, ran: Array<Ran> = []) =>
  Layer.succeed(
    CommandExecutor.CommandExecutor,
    CommandExecutor.makeExecutor((command) => {
      const [{ args, command: program, env, extendEnv }] = Command.flatten(command)
      const argv = [program, ...args]
      ran.push({ argv, environment: [...env].map(([name]) => name), inherits: extendEnv })
      const given = answer(argv)
      if (given === "absent") {
        return new SystemError({ reason: "NotFound", module: "Command", method: "spawn", pathOrDescriptor: program })
      }
      const process = given === "hangs"
        ? ended(0, "", "", true)
        : ended(given.exitCode, given.stdout ?? "", given.stderr ?? "", false)
      // As the real one: what hangs is told to stop when its scope closes, and waited for.
      return Effect.acquireRelease(Effect.succeed(process), () => given === "hangs" ? Effect.never : Effect.void)
    })
  )

/** For what touches no file. */
export const noUnitFiles = Layer.merge(
  Layer.mock(UnitFiles, { mountInfo: Effect.die("nobody should look at what is mounted") }),
  Layer.mock(MarkFiles, {})
)

/** A device as lsblk would tell it; what is not given is that of a healthy USB disk with one ext4 file system. */
export const device = (given: { readonly [field: string]: unknown } = {}) => ({
  name: "x",
  path: "/dev/sdb1",
  type: "part",
  fstype: "ext4",
  uuid: "1741368e-c387-42cc-8971-e25211e7e768",
  label: "backup",
  parttype: "0fc63daf-8483-4772-8e79-3d69d8477de4",
  size: 1_000_204_886_016,
  ro: false,
  tran: null,
  serial: null,
  mountpoints: [null],
  ...given
})

/** The disk that a partition is on. */
export const diskOf = (...children: ReadonlyArray<object>) => ({
  ...device({ path: "/dev/sdb", type: "disk", fstype: null, uuid: null, label: null, parttype: null, tran: "usb" }),
  children
})

/** What goes wrong on a model host. */
export interface Faults {
  /** Of `systemctl VERB`. */
  readonly systemctl?: { readonly [verb: string]: Answer }
  readonly unwritable?: boolean
  /** What is mounted in place of what was asked for. */
  readonly options?: string
  readonly mountsNothing?: boolean
  readonly unmountsNothing?: boolean
}

/** A host with unit files and a PID 1 that does what systemctl asks of it, as far as mounting goes. */
export class ModelHost {
  readonly files = new Map<string, string>()
  readonly mounts = new Map<string, { readonly source: string; readonly options: string }>()
  readonly enabled = new Set<string>()
  readonly ran: Array<Ran> = []
  devices: ReadonlyArray<object>
  faults: Faults

  constructor(devices: ReadonlyArray<object> = [diskOf(device())], faults: Faults = {}) {
    this.devices = devices
    this.faults = faults
  }

  /** All that a mount leaves behind. */
  get traces() {
    return { files: [...this.files.keys()], mounts: [...this.mounts.keys()], enabled: [...this.enabled] }
  }

  get verbs(): ReadonlyArray<string> {
    return this.ran.map(({ argv }) => argv[0] === "/usr/bin/systemctl" ? argv.slice(4).join(" ") : (argv[0] ?? ""))
  }

  /** What stands in the files on the disk that is mounted, by path; a disk that takes no file is `unmarkable`. */
  readonly marks = new Map<string, string>()
  unmarkable = false

  readonly layer = Layer.mergeAll(
    Layer.suspend(() => commands((argv) => this.#run(argv), this.ran)),
    Layer.succeed(MarkFiles, {
      read: (path) => Effect.sync(() => Option.fromNullable(this.marks.get(path))),
      create: (path, text) =>
        Effect.suspend(() =>
          this.unmarkable
            ? new MarkError({ path, detail: "EROFS: read-only file system" })
            : Effect.sync(() => void this.marks.set(path, text))
        )
    }),
    Layer.succeed(UnitFiles, {
      read: (unit) => Effect.sync(() => Option.fromNullable(this.files.get(unit))),
      write: (unit, text) =>
        Effect.suspend(() =>
          this.faults.unwritable === true
            ? new UnitFileError({ operation: "write", path: `/etc/systemd/system/${unit}`, detail: "ENOSPC" })
            : Effect.sync(() => void this.files.set(unit, text))
        ),
      remove: (unit) => Effect.sync(() => void this.files.delete(unit)),
      mountInfo: Effect.sync(() =>
        [...this.mounts].map(([at, { options, source }]) =>
          `99 1 8:17 / ${at} rw,${options},relatime shared:7 - ext4 ${source} rw`
        ).join("\n")
      )
    })
  )

  #run(argv: ReadonlyArray<string>): Answer {
    if (argv[0] === "/usr/bin/lsblk") return { exitCode: 0, stdout: JSON.stringify({ blockdevices: this.devices }) }
    const verb = argv[4] ?? ""
    const unit = argv[5] ?? ""
    const fault = this.faults.systemctl?.[verb]
    if (fault !== undefined) return fault
    const text = this.files.get(unit)
    if (verb !== "daemon-reload" && text === undefined) return { exitCode: 5, stderr: `Unit ${unit} not loaded.` }
    const where = /^Where=(.*)$/m.exec(text ?? "")?.[1] ?? ""
    const options = /^Options=(.*)$/m.exec(text ?? "")?.[1] ?? ""
    if (verb === "start" && this.faults.mountsNothing !== true) {
      this.mounts.set(where, { source: "/dev/sdb1", options: this.faults.options ?? options })
    }
    if (verb === "stop" && this.faults.unmountsNothing !== true) this.mounts.delete(where)
    if (verb === "enable") this.enabled.add(unit)
    if (verb === "disable") this.enabled.delete(unit)
    return { exitCode: 0 }
  }
}
