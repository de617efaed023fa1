import { Command, Options } from "@effect/cli"
import { Vmid } from "@felhom/domain/ProxmoxId"
import { version } from "@felhom/domain/Version"
import * as OpJournal from "@felhom/durable/OpJournal"
import { Mandate } from "@felhom/mandate/Mandate"
import { Effect, Layer, type Option } from "effect"
import { makeAdminCommands } from "./admin/AdminCommands.ts"
import { makeAuditCommand } from "./audit/AuditCommand.ts"
import { defaultConfigFile } from "./ConfigFile.ts"
import { makeConfigureCommand } from "./configure/ConfigureCommand.ts"
import { runDaemon } from "./DaemonCommand.ts"
import { makeDetachCommand } from "./detach/DetachCommand.ts"
import { makeDisksCommands } from "./disks/DisksCommand.ts"
import { makeDoctorCommand } from "./doctor/DoctorCommand.ts"
import { enrol } from "./enrol/Enrol.ts"
import * as LiveEnrolment from "./enrol/LiveEnrolment.ts"
import { showKey } from "./enrol/ShowKey.ts"
import { makeGoldenCommand } from "./golden/GoldenCommands.ts"
import * as Live from "./Live.ts"
import { makePlanCommand } from "./plan/PlanCommand.ts"
import * as Checklist from "./selftest/Checklist.ts"
import { selftestHub } from "./selftest/SelftestHub.ts"
import { selftestRead } from "./selftest/SelftestRead.ts"
import { selftestTask } from "./selftest/SelftestTask.ts"
import * as Settings from "./Settings.ts"
import { formatFor, source, type Surroundings, withSettings } from "./Surroundings.ts"

const config = Options.file("config").pipe(
  Options.optional,
  Options.withDescription(
    `The config file (default ${defaultConfigFile}); FELHOM_AGENT_* in the environment wins over it`
  )
)

const output = Options.choice("output", ["text", "json"]).pipe(
  Options.withDefault("text"),
  Options.withDescription("text for people, json for programs")
)

/** All commands of `felhom-agent`. */
export const makeCommand = (surroundings: Surroundings) => {
  const person = formatFor(surroundings)

  const daemon = Command.make("daemon", { config, output }, (options) => runDaemon(surroundings, options)).pipe(
    Command.withDescription("Run the agent, until SIGTERM; with --output json its log is JSON even on a terminal")
  )

  const proxmoxOnly = (file: Option.Option<string>) =>
    Live.proxmox.pipe(Layer.provideMerge(Live.crypto), Layer.provideMerge(withSettings(surroundings, file, person)))

  const readTest = (options: { readonly config: Option.Option<string>; readonly output: Checklist.Output }) =>
    Checklist.concluded("read", options.output, selftestRead).pipe(
      Effect.provide(Layer.merge(proxmoxOnly(options.config), Checklist.layer(options.output)))
    )

  const read = Command.make("read", { config, output }, readTest).pipe(
    Command.withDescription("Version, node, guests, storages and permissions; changes nothing")
  )

  const task = Command.make(
    "task",
    {
      config,
      output,
      vmid: Options.integer("vmid").pipe(
        Options.withSchema(Vmid),
        Options.withDescription("The guest to test on; it is left as it was")
      ),
      allowRunning: Options.boolean("allow-running").pipe(
        Options.withDescription("Take a running guest too: the rollback kills it, and it is started again")
      )
    },
    (options) =>
      Checklist.concluded("task", options.output, selftestTask(options.vmid, options)).pipe(
        Effect.provide(
          Layer.mergeAll(
            proxmoxOnly(options.config),
            Checklist.layer(options.output),
            Layer.provide(OpJournal.layerMemory, Mandate.mintLayer)
          )
        )
      )
  ).pipe(Command.withDescription("Snapshot, rollback, delete and a description written and restored, each awaited"))

  const hub = Command.make(
    "hub",
    { config, output },
    (options) =>
      Effect.flatMap(Live.bootId, (bootId) => Checklist.concluded("hub", options.output, selftestHub(bootId))).pipe(
        Effect.provide(
          Layer.mergeAll(Live.observer, Live.hub, Live.state, Checklist.layer(options.output)).pipe(
            Layer.provideMerge(proxmoxOnly(options.config)),
            Layer.provideMerge(Layer.effectDiscard(Settings.allSettings)),
            Layer.provideMerge(source(surroundings, options.config))
          )
        )
      )
  ).pipe(Command.withDescription("One look at the host, and one report of it to the hub"))

  const selftest = Command.make("selftest", { config, output }, readTest).pipe(
    Command.withDescription("Show that the agent's rights and connections work; without a subcommand: read"),
    Command.withSubcommands([read, task, hub])
  )

  const enrolHost = Command.make(
    "enrol",
    {
      config,
      output,
      once: Options.boolean("once").pipe(
        Options.withDescription("Ask once and end with 1 while nobody has accepted, instead of waiting")
      )
    },
    (options) =>
      Effect.gen(function*() {
        const { node, token } = yield* Settings.enrolmentSettings
        const bearerPath = Settings.bearerFile(yield* Settings.stateDirectory)
        return yield* enrol({ token, node, bearerPath, once: options.once, output: options.output })
      }).pipe(
        Effect.provide(
          LiveEnrolment.layer.pipe(
            Layer.provideMerge(Live.crypto),
            Layer.provideMerge(withSettings(surroundings, options.config, person))
          )
        )
      )
  ).pipe(
    Command.withDescription("Show this host to its hub, with FELHOM_AGENT_ENROL_TOKEN; prints the code to accept it by")
  )

  const key = Command.make("key", { config, output }, (options) =>
    showKey(options.output).pipe(
      Effect.provide(
        Layer.merge(Live.hostKey, Live.state).pipe(
          Layer.provideMerge(Live.crypto),
          Layer.provideMerge(withSettings(surroundings, options.config, person))
        )
      )
    )).pipe(Command.withDescription("Show this host's id, its key's fingerprint and the code that a person compares"))

  const { hold, ops } = makeAdminCommands(surroundings)
  const { disks, health } = makeDisksCommands(surroundings)

  return Command.make("felhom-agent").pipe(
    Command.withDescription("Looks after one Proxmox VE host"),
    Command.withSubcommands([
      makeAuditCommand(surroundings),
      makeConfigureCommand(),
      daemon,
      makeDetachCommand(surroundings),
      makeDoctorCommand(surroundings),
      disks,
      enrolHost,
      health,
      makeGoldenCommand(surroundings),
      hold,
      key,
      ops,
      makePlanCommand(surroundings),
      selftest
    ])
  )
}

/** Parses the arguments and runs the command. `argv` is the whole of `process.argv`. */
export const runCli = (surroundings: Surroundings) =>
  Command.run(makeCommand(surroundings), { name: "felhom-agent", version })
