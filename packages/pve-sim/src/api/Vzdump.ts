import { Effect } from "effect"
import { ApiFailure, badParameters, died } from "../ApiFailure.ts"
import { compressions, dumpFolder, logTime } from "../BackupTarget.ts"
import { choiceOf, isSet, numberOf, required, textOf } from "../CallParameters.ts"
import { anyone, type Call, type Endpoint, may, missing } from "../Endpoint.ts"
import * as Formats from "../Formats.ts"
import { backUpGuest, backupModes } from "../GuestBackup.ts"
import { splitList } from "../ParameterSchema.ts"
import { propertyString } from "../PropertyFormat.ts"
import { parseRetention } from "../Prune.ts"
import { holds, unusable } from "../StorageState.ts"
import { TaskFailure, type Worker } from "../TaskTable.ts"
import * as Values from "../ValueFormats.ts"
import { volumeRefusal } from "../VolumeAccess.ts"
import { parseVolid } from "../VolumeName.ts"
import { fail } from "../WorkerChecks.ts"

const rootOnly = ["tmpdir", "dumpdir", "script", "job-id"]
const needsModify = ["bwlimit", "ionice", "performance"]
const vmidList = Formats.vmidList

const fleecing = propertyString(
  { enabled: Formats.flag, storage: Formats.optional(Formats.storage) },
  "enabled",
  (found) =>
    found.get("enabled") === "1" && !found.has("storage")
      ? "'storage' parameter is required when 'enabled' is set\n"
      : undefined
)
const performance = propertyString({ "max-workers": Formats.integer(1, 256), "pbs-entries-max": Formats.integer(1) })

/** What Proxmox has against a template for notes, in its words; undefined when nothing. */
const templateTrouble = (template: string): string | undefined => {
  if (template.includes("\n")) return "contains a line feed\n"
  const unknown = [
    ...Array.from(template.matchAll(/\\(.)/g)).flatMap(({ 1: char = "", index }) =>
      char === "n" || char === "\\" ? [] : [`escape sequence '\\${char}' at char ${index}`]
    ),
    ...Array.from(template.matchAll(/\{\{([^\s{}]+)\}\}/g)).flatMap(({ 0: whole, 1: name = "", index }) =>
      ["cluster", "guestname", "node", "vmid"].includes(name)
        ? []
        : [`variable '${name}' at char ${index + whole.length - name.length}`]
    )
  ]
  return unknown.length === 0 ? undefined : `found unknown: ${unknown.join(", ")}\n`
}

const isGiven = (call: Call, name: string): boolean => !["0", undefined].includes(textOf(call, name))

/** Before anything is looked up: whose options these are, and whether they go together (platform-facts 6.2). */
const permitted = (call: Call, storage: string) =>
  Effect.gen(function*() {
    if (isSet(call, "stdout")) {
      return yield* badParameters({ stdout: "option is only allowed on the command line interface." })
    }
    const root = rootOnly.find((name) => call.parameters.has(name))
    if (root !== undefined) return yield* badParameters({ [root]: "Only root may set this option." })
    const { identity, machine } = call
    const fleecingStorage = /(?:^|,)storage=([^,]+)/.exec(textOf(call, "fleecing") ?? "")?.[1]
    const refused = (needsModify.some((name) => textOf(call, name) !== undefined)
      ? missing(machine, identity, "/", ["Sys.Modify"])
      : undefined) ??
      (fleecingStorage === undefined
        ? undefined
        : missing(machine, identity, `/storage/${fleecingStorage}`, ["Datastore.AllocateSpace"])) ??
      (textOf(call, "prune-backups") !== undefined
        ? missing(machine, identity, `/storage/${storage}`, ["Datastore.Allocate"])
        : undefined)
    if (refused !== undefined) return yield* refused
    if (isGiven(call, "vmid")) {
      const other = ["all", "exclude", "pool"].find((name) => isGiven(call, name))
      if (other !== undefined) return yield* badParameters({ [other]: "option conflicts with option 'vmid'" })
    }
    const template = textOf(call, "notes-template")
    const trouble = template === undefined ? undefined : templateTrouble(template)
    if (trouble !== undefined) return yield* badParameters({ "notes-template": trouble })
    if (!["vmid", "all", "exclude", "stop", "pool"].some((name) => isGiven(call, name))) {
      return yield* badParameters({ vmid: "property is missing" })
    }
  })

/** Who leaves guests out means all others. */
const isAll = (call: Call): boolean =>
  isSet(call, "all") || (isGiven(call, "exclude") && textOf(call, "pool") === undefined)

const poolMembers = (call: Call, pool: string): ReadonlyArray<number> =>
  Array.from(call.machine.access.pools.get(pool)?.vms ?? [])

const wanted = (call: Call): ReadonlyArray<number> => {
  const given = textOf(call, "vmid")
  if (given !== undefined) return splitList(given).map(Number)
  const pool = textOf(call, "pool")
  if (pool === undefined && !isAll(call)) return []
  const all = pool === undefined ? Array.from(call.machine.guests.keys()) : poolMembers(call, pool)
  const excluded = splitList(textOf(call, "exclude")).map(Number)
  return all.filter((vmid) => call.machine.guests.has(vmid) && !excluded.includes(vmid)).toSorted((a, b) => a - b)
}

const quoted = (value: string): string => /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`

const commandLine = (call: Call): string =>
  [
    "vzdump",
    ...splitList(textOf(call, "vmid")),
    ...Array.from(call.parameters).flatMap(([name, value]) =>
      name === "vmid" || value === undefined ? [] : [`--${name} ${quoted(value)}`]
    )
  ].join(" ")

/** What the worker finds out before it takes the node's lock; these end the task without a word in its log. */
const storageTrouble = (call: Call, storage: string): string | undefined => {
  const trouble = unusable(call.machine.storages, storage)
  const state = call.machine.storages.get(storage)
  if (state === undefined) {
    return `could not activate storage '${storage}': ${trouble} could not get storage information for '${storage}': ${trouble}`
  }
  if (trouble !== undefined) return `could not activate storage '${storage}': ${trouble}`
  return holds(state, "backup")
    ? undefined
    : `could not get storage information for '${storage}': can't use storage '${storage}' for backups - wrong content type`
}

/** One guest of the job; false when it failed, which the log tells and the others do not suffer from. */
const attempt = (call: Call, worker: Worker, vmid: number, backUp: Effect.Effect<void, TaskFailure>) =>
  backUp.pipe(
    Effect.as(true),
    Effect.catchAll((failure) =>
      Effect.gen(function*() {
        yield* worker.log(`ERROR: Backup of VM ${vmid} failed - ${failure.message}`)
        yield* worker.log(`INFO: Failed at ${yield* logTime(call.machine)}`)
        return false
      })
    )
  )

const job = (call: Call, worker: Worker, vmids: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const { machine } = call
    const storage = machine.storages.get(textOf(call, "storage") ?? "local")
    if (storage === undefined) return yield* fail("storage vanished")
    yield* worker.log(`INFO: starting new backup job: ${commandLine(call)}`)
    const all = isAll(call)
    for (const vmid of vmids) {
      const refused = all ? undefined : missing(machine, call.identity, `/vms/${vmid}`, ["VM.Backup"])
      if (refused !== undefined) return yield* fail(`403 ${refused.message}`)
    }
    const given = textOf(call, "prune-backups") ?? storage.config["prune-backups"]?.toString()
    const manner = {
      storage,
      mode: choiceOf(call, "mode", backupModes) ?? "snapshot",
      compress: choiceOf(call, "compress", compressions) ?? "0",
      notesTemplate: textOf(call, "notes-template"),
      protected: isSet(call, "protected"),
      retention: textOf(call, "remove") === "0" ? undefined : parseRetention(given)
    }
    const absent = vmids.filter((vmid) => !machine.guests.has(vmid))
    let failed = false
    for (const vmid of absent) {
      failed = !(yield* attempt(call, worker, vmid, Effect.fail(fail(`unable to find VM '${vmid}'`)))) || failed
    }
    for (const vmid of vmids) {
      const guest = machine.guests.get(vmid)
      // With `all`, guests that the caller may not back up are left out silently (platform-facts 6.1).
      if (guest === undefined || (all && !may(call, `/vms/${vmid}`, "VM.Backup"))) continue
      failed = !(yield* attempt(call, worker, vmid, backUpGuest(machine, worker, guest, manner))) || failed
    }
    yield* worker.log(`INFO: Backup job finished ${failed ? "with errors" : "successfully"}`)
    if (failed) return yield* fail("job errors")
  })

const lockPath = "/var/run/vzdump.lock"

/** One job at a time on a node: whoever waits counts as running, for three hours by default (platform-facts 6.3). */
const locked = (call: Call, worker: Worker, body: Effect.Effect<void, TaskFailure>) => {
  const minutes = numberOf(call, "lockwait", 180)
  const { vzdumpLock } = call.machine
  const exits = (how: string) =>
    Effect.zipRight(
      worker.log(`ERROR: can't acquire lock '${lockPath}' ${how}`),
      Effect.fail(new TaskFailure({ message: "no lock", mute: true }))
    )
  if (minutes === 0 && vzdumpLock.held) return exits("(wait = 0)")
  const timedOut = "no lock in time"
  return vzdumpLock.hold(() => fail(timedOut), { log: worker.log, terminated: worker.sigterm }, {
    patience: `${minutes} minutes`,
    waiting: "INFO: trying to get global lock - waiting...",
    got: "INFO: got global lock"
  })(body).pipe(
    Effect.catchIf((failure) => failure.message === timedOut, () => exits("- got timeout"))
  )
}

const post: Endpoint = {
  method: "POST",
  path: "/nodes/{node}/vzdump",
  permission: anyone,
  protected: true,
  parameters: {
    node: Formats.node,
    vmid: { type: "string", optional: true, format: vmidList },
    all: Formats.flag,
    exclude: { type: "string", optional: true, format: vmidList },
    pool: Formats.text(),
    storage: Formats.optional(Formats.storage),
    mode: Formats.choice(...backupModes),
    compress: Formats.choice(...compressions),
    zstd: Formats.integer(),
    pigz: Formats.integer(),
    "notes-template": { type: "string", optional: true, maxLength: 1024, requires: "storage" },
    protected: { type: "boolean", optional: true, requires: "storage" },
    "prune-backups": { type: "string", optional: true, format: Formats.retention },
    remove: Formats.flag,
    "exclude-path": { type: "string", optional: true, format: Formats.anyList },
    stdexcludes: Formats.flag,
    lockwait: Formats.integer(0),
    stopwait: Formats.integer(0),
    quiet: Formats.flag,
    stop: Formats.flag,
    mailto: Values.of(Values.mailReceivers),
    mailnotification: Formats.choice("always", "failure"),
    "notification-mode": Formats.choice("auto", "legacy-sendmail", "notification-system"),
    "pbs-change-detection-mode": Formats.choice("legacy", "data", "metadata"),
    fleecing: Values.of(fleecing),
    bwlimit: Formats.integer(0),
    ionice: Formats.integer(0, 8),
    performance: Values.of(performance),
    "job-id": { type: "string", optional: true, pattern: /^\S+$/, maxLength: 50 },
    tmpdir: Formats.text(),
    dumpdir: Formats.text(),
    script: Formats.text(),
    stdout: Formats.flag
  },
  handle: (call) =>
    Effect.gen(function*() {
      const storage = textOf(call, "storage") ?? "local"
      yield* permitted(call, storage)
      const vmids = wanted(call)
      const { identity, machine } = call
      const mayStop = isSet(call, "stop")
        ? missing(machine, identity, `/nodes/${machine.node}`, ["Sys.Modify"])
        : undefined
      if (mayStop !== undefined) return yield* mayStop
      // Nothing of it is here: no task, and no error either (platform-facts 6.2).
      if (vmids.length === 0 && (isSet(call, "stop") || !isAll(call))) return { data: "OK" }
      const refused = missing(machine, identity, `/storage/${storage}`, ["Datastore.AllocateSpace"])
      if (refused !== undefined) return yield* refused
      const data = yield* call.machine.tasks.start({
        type: "vzdump",
        id: vmids.length === 1 ? String(vmids[0]) : "",
        user: call.identity.id,
        work: (worker) =>
          Effect.gen(function*() {
            const trouble = storageTrouble(call, storage)
            if (trouble !== undefined) return yield* fail(trouble)
            yield* worker.take("60 millis")
            yield* locked(call, worker, job(call, worker, vmids))
          })
      })
      return { data }
    })
}

const defaults: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/vzdump/defaults",
  permission: anyone,
  protected: false,
  parameters: { node: Formats.node, storage: Formats.optional(Formats.storage) },
  handle: (call) =>
    Effect.gen(function*() {
      const id = textOf(call, "storage") ?? "local"
      const refused = missing(call.machine, call.identity, `/storage/${id}`, [
        "Datastore.Audit",
        "Datastore.AllocateSpace"
      ], true)
      if (refused !== undefined) return yield* refused
      const storage = call.machine.storages.get(id)
      if (storage === undefined) return yield* died(`storage '${id}' does not exist`)
      return {
        data: {
          storage: id,
          dumpdir: dumpFolder(storage),
          "prune-backups": String(storage.config["prune-backups"] ?? "keep-all=1"),
          all: 0,
          bwlimit: 0,
          compress: "0",
          fleecing: { enabled: 0 },
          ionice: 7,
          lockwait: 180,
          mailnotification: "always",
          mode: "snapshot",
          "notification-mode": "auto",
          performance: { "max-workers": 16, "pbs-entries-max": 1_048_576 },
          pigz: 0,
          quiet: 0,
          remove: 1,
          stdexcludes: 1,
          stop: 0,
          stopwait: 10,
          zstd: 1
        }
      }
    })
}

const extractConfig: Endpoint = {
  method: "GET",
  path: "/nodes/{node}/vzdump/extractconfig",
  permission: anyone,
  protected: true,
  parameters: { node: Formats.node, volume: { type: "string" } },
  handle: (call) =>
    Effect.gen(function*() {
      const volid = required(call, "volume")
      const storage = volid.slice(0, volid.indexOf(":"))
      const named = parseVolid(call.machine, volid)
      const owner = typeof named === "object" ? named.owner : undefined
      const refused = volumeRefusal(call, volid, { content: "backup" }) ??
        missing(call.machine, call.identity, `/vms/${owner ?? ""}`, ["VM.Backup"])
      if (refused !== undefined) return yield* refused
      const volume = (call.machine.content.get(storage) ?? []).find((one) => one.volid === volid)
      if (volume === undefined) return yield* died(`volume '${volid}' does not exist`)
      return volume.archive?.config === undefined
        ? yield* new ApiFailure({ status: 500, message: "ERROR: archive contains no configuration file" })
        : { data: volume.archive.config }
    })
}

/** Backups: run one, its defaults, and the configuration in an archive (platform-facts 1.4, 6). */
export const endpoints: ReadonlyArray<Endpoint> = [post, defaults, extractConfig]
