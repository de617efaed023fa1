import { Effect, Option } from "effect"
import { askDaemon } from "../admin/AskDaemon.ts"
import { HostFiles, type Ownership } from "../configure/HostFiles.ts"
import { type Finding, fine, mend, worthKnowing } from "./Finding.ts"

/** Where packages and administrators put units (systemd.unit(5)). */
const unitFolders = ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"]
const unit = "felhom-agent.service"

export interface Installation {
  readonly configFile: string
  readonly stateDirectory: string
  readonly runtimeDirectory: string
}

/** Whose a file is; one that can't be looked at is as good as not there. */
const look = (path: string) =>
  Effect.flatMap(HostFiles, (files) => Effect.orElseSucceed(files.ownership(path), () => Option.none<Ownership>()))

/** Whether the agent is installed as a service here. Where it is not, nobody expects its units. */
export const installed: Effect.Effect<boolean, never, HostFiles> = Effect.exists(
  unitFolders,
  (folder) => Effect.map(look(`${folder}/${unit}`), Option.isSome)
)

const readable = (configFile: string, stateDirectory: string) =>
  Effect.gen(function*() {
    const [config, state] = yield* Effect.all([look(configFile), look(stateDirectory)])
    if (Option.isNone(config) || Option.isNone(state)) return []
    const { gid, mode, uid } = config.value
    const may = uid === state.value.uid || (mode & 0o004) !== 0 || (gid === state.value.gid && (mode & 0o040) !== 0)
    return may ? [] : [mend(
      "config",
      `${configFile} can't be read by the agent's own user`,
      `chown root:felhom-agent ${configFile}; chmod 640 ${configFile}`
    )]
  })

/** Files in the state folder that root left there: the daemon could neither read nor replace them. */
const foreign = (stateDirectory: string) =>
  Effect.gen(function*() {
    const files = yield* HostFiles
    const folder = yield* look(stateDirectory)
    if (Option.isNone(folder)) return []
    const names = yield* Effect.orElseSucceed(files.list(stateDirectory), () => [])
    const others = yield* Effect.filter(names, (name) =>
      Effect.map(look(`${stateDirectory}/${name}`), (one) =>
        Option.isSome(one) && one.value.uid !== folder.value.uid))
    return others.length === 0 ? [] : [mend(
      "state folder",
      `${others.join(", ")} in ${stateDirectory} belong to somebody else than the folder, so the agent can't use them`,
      `chown -R --reference=${stateDirectory} ${stateDirectory}`
    )]
  })

const service = (runtimeDirectory: string) =>
  Effect.gen(function*() {
    const wanted = yield* look(`/etc/systemd/system/multi-user.target.wants/${unit}`)
    const running = yield* Effect.either(askDaemon(runtimeDirectory, { ask: "ops.list" }))
    return [
      ...(Option.isNone(wanted)
        ? [mend("service", "it does not start with the host", `systemctl enable ${unit}`)]
        : []),
      running._tag === "Right"
        ? fine("service", "the daemon runs")
        : running.left.reason === "not-allowed"
        ? worthKnowing("service", running.left.message)
        : mend("service", running.left.message, `why it does not run: systemctl status ${unit}; journalctl -u ${unit}`)
    ]
  })

/** Whether the service is set up so that it runs, and starts with the host. */
export const installChecks = (
  { configFile, runtimeDirectory, stateDirectory }: Installation
): Effect.Effect<ReadonlyArray<Finding>, never, HostFiles> =>
  Effect.map(
    Effect.all([readable(configFile, stateDirectory), foreign(stateDirectory), service(runtimeDirectory)]),
    (findings) => findings.flat()
  )
