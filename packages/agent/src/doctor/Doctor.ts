import type { PeerPins } from "@felhom/domain/PeerPin"
import type { ProxmoxClient } from "@felhom/proxmox/ProxmoxClient"
import type { ProxmoxError } from "@felhom/proxmox/ProxmoxError"
import { Effect, Either, Schema } from "effect"
import { Check, Checklist, type Output, type SelftestFailed, verdict } from "../selftest/Checklist.ts"
import { renewalCheck, servedCheck } from "./CertificateChecks.ts"
import { type Finding, mend } from "./Finding.ts"
import { backupJobsCheck, storagesCheck, suspendCheck } from "./GuestChecks.ts"
import { clockCheck, nodeCheck, rightsCheck, stateFolderCheck, versionCheck } from "./HostChecks.ts"
import { startCheck } from "./StartCheck.ts"

/** What the doctor is told of the configuration. */
export interface Patient {
  readonly url: URL
  readonly pins: PeerPins
  readonly stateDirectory: string
  /** The daemon's script, whose compiled code is looked at; without it that question is not asked. */
  readonly daemonScript?: string
  /** What root's files about signed ops come to; without it that is not asked. */
  readonly trust?: Effect.Effect<ReadonlyArray<Finding>>
}

/** Reasons after which no further question would be answered either. */
const hopeless: ReadonlySet<ProxmoxError["reason"]> = new Set([
  "unauthorized",
  "refused-certificate",
  "unreachable",
  "not-started",
  "malformed"
])

/** Writes findings down, one after the other. */
export const tellFindings = (findings: ReadonlyArray<Finding>): Effect.Effect<void, never, Checklist> =>
  Effect.flatMap(Checklist, (checklist) => {
    const say = { passed: checklist.pass, failed: checklist.fail, note: checklist.note }
    return Effect.forEach(findings, ({ detail, name, outcome }) => say[outcome](name, detail), { discard: true })
  })

type Asked = Effect.Effect<ReadonlyArray<Finding>, ProxmoxError, ProxmoxClient>

/**
 * Looks at everything that has to be right for the agent to do its work, and says of each thing that is not what it is, where,
 * and what to do. Reads only: what mends it is printed and never run. One answer that does not come takes no other with it.
 */
export const doctor = (patient: Patient) =>
  Effect.gen(function*() {
    const tell = tellFindings
    const ask = (name: string, check: Asked) =>
      Effect.flatMap(
        Effect.catchAll(check, (error) => Effect.succeed([mend(name, error.message)])),
        tell
      )

    yield* tell(yield* stateFolderCheck(patient.stateDirectory))
    if (patient.daemonScript !== undefined) yield* tell(yield* startCheck(patient.daemonScript))
    if (patient.trust !== undefined) yield* tell(yield* patient.trust)
    const { findings, trusted } = yield* servedCheck(patient.url, patient.pins)
    yield* tell(findings)
    if (trusted === undefined) return
    const first = yield* Effect.either(versionCheck)
    if (Either.isLeft(first)) yield* tell([mend("version", first.left.message)])
    else yield* tell(first.right)
    if (Either.isLeft(first) && hopeless.has(first.left.reason)) return
    yield* ask("certificate", renewalCheck(trusted, patient.pins))
    yield* ask("node", nodeCheck)
    yield* ask("clock", clockCheck)
    yield* ask("permissions", rightsCheck)
    yield* ask("storages", storagesCheck)
    yield* ask("backup mode", suspendCheck)
    yield* ask("backup jobs", backupJobsCheck)
  })

/** What `doctor --output json` prints. */
export const DoctorResult = Schema.Struct({ healthy: Schema.Boolean, checks: Schema.Array(Check) })
export type DoctorResult = typeof DoctorResult.Type

/** The doctor's questions to their end: the verdict is printed, and it fails if there is anything to mend. */
export const concludedDoctor = <R>(output: Output, questions: Effect.Effect<unknown, SelftestFailed, R>) =>
  verdict(output, questions, (checks, healthy) => {
    const count = checks.filter(({ outcome }) => outcome === "failed").length
    return {
      text: healthy ? "doctor: ready" : `doctor: ${count} to mend`,
      json: { healthy, checks } satisfies DoctorResult
    }
  })
