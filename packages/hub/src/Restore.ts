import { Crypto } from "@felhom/domain/port/Crypto"
import * as TlsIdentity from "@felhom/node/TlsIdentity"
import { Clock, Effect, Schema } from "effect"
import { createPrivateKey, X509Certificate } from "node:crypto"
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { dirname, join, resolve } from "node:path"
import {
  attempt,
  type BackupSummary,
  checkIntegrity,
  numberOf,
  one,
  type Store,
  storeFile,
  summaryOf,
  synced,
  tlsFiles,
  withStore
} from "./Backup.ts"
import { BackupError } from "./BackupError.ts"
import { migrations } from "./Migrations.ts"

/** A token that works again as it did when the backup was made. */
export const LiveToken = Schema.Struct({
  id: Schema.String,
  role: Schema.String,
  label: Schema.String,
  createdAt: Schema.Int
})
export type LiveToken = typeof LiveToken.Type

/** What was restored, and what the person who did it has to think of. */
export interface RestoreSummary {
  readonly data: string
  readonly backup: BackupSummary
  /** The new incarnation of the store. */
  readonly storeEpoch: string
  /** The certificate's SHA-256; null when the backup has no TLS key. */
  readonly fingerprint: string | null
  readonly liveTokens: ReadonlyArray<LiveToken>
  /** One-time tokens that had not been used, and are void now. */
  readonly revokedEnrolmentTokens: number
}

const magic = "SQLite format 3\0"

const notBackup = (path: string, detail: string): BackupError =>
  new BackupError({ reason: "not-a-backup", path, detail })

const checkMagic = (path: string): void => {
  const handle = openSync(path, "r")
  try {
    const head = Buffer.alloc(magic.length)
    readSync(handle, head, 0, head.length, 0)
    if (head.toString("latin1") !== magic) throw notBackup(path, "it does not begin as one")
  } finally {
    closeSync(handle)
  }
}

const newestStep = Math.max(...Object.keys(migrations).map((name) => Number.parseInt(name, 10)))

const checkShape = (store: Store, path: string): void => {
  if (one(store, "SELECT count(*) FROM sqlite_master WHERE name IN ('backup_manifest', 'backup_file')") !== 2) {
    throw notBackup(path, "it is a store, but hub backup did not make it")
  }
  const step = numberOf(one(store, "SELECT max(migration_id) FROM effect_sql_migrations"))
  if (step > newestStep) {
    throw new BackupError({
      reason: "newer",
      path,
      detail: `hub ${String(one(store, "SELECT hub_version FROM backup_manifest"))}, store step ${step}`
    })
  }
}

/** Opens what should be a backup; what the driver says of a file that is none is no help to anybody. */
const opened = <A>(path: string, from: string, use: (store: Store) => A): A => {
  try {
    return withStore(path, use)
  } catch (cause) {
    throw cause instanceof BackupError ? cause : notBackup(from, cause instanceof Error ? cause.message : String(cause))
  }
}

const contentOf = (store: Store, name: string): string | undefined => {
  const row: unknown = store.prepare("SELECT content FROM backup_file WHERE name = ?").get(name)
  const content = typeof row === "object" && row !== null && "content" in row ? row.content : undefined
  return content instanceof Uint8Array || content instanceof ArrayBuffer
    ? Buffer.from(new Uint8Array(content)).toString("utf8")
    : undefined
}

/** The key and certificate; they must belong together, or no agent would find its hub again. */
const identityOf = (store: Store, from: string): TlsIdentity.TlsIdentity | undefined => {
  const [key, certificate] = tlsFiles.map((name) => contentOf(store, name))
  if (key === undefined || certificate === undefined) return undefined
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) {
    throw notBackup(from, "its TLS key and certificate don't belong together")
  }
  return TlsIdentity.fromPem(certificate, key)
}

const tokensOf = (store: Store): ReadonlyArray<LiveToken> =>
  Schema.decodeUnknownSync(Schema.Array(LiveToken))(
    store.prepare(
      `SELECT substr(hash, 1, 12) AS id, role, label, created_at AS "createdAt" FROM token
        WHERE revoked_at IS NULL ORDER BY role <> 'host' DESC, created_at, hash`
    ).all()
  )

/** What must change in a store that goes on where an older one stopped. */
const renewed = (store: Store, epoch: string, madeAt: number, now: number): number => {
  store.prepare("BEGIN IMMEDIATE").run()
  const unused = store.prepare(
    "UPDATE enrolment_token SET revoked_at = ? WHERE used_at IS NULL AND revoked_at IS NULL"
  ).run(now).changes
  store.prepare("UPDATE store SET epoch = ?, restored_at = ?, backup_made_at = ?").run(epoch, now, madeAt)
  // What the agents forgot since, because the store of then had it, this one never gets.
  store.prepare("UPDATE host_epoch SET restored = 1").run()
  store.prepare(
    "UPDATE notice SET given_up_at = ?, last_error = 'the store was restored' WHERE delivered_at IS NULL AND given_up_at IS NULL"
  ).run(now)
  store.prepare("DROP TABLE backup_manifest").run()
  store.prepare("DROP TABLE backup_file").run()
  store.prepare("COMMIT").run()
  return unused
}

const writeSecret = (path: string, content: string): void => {
  writeFileSync(path, content, { mode: 0o600, flag: "wx" })
  synced(path)
}

const isEmpty = (folder: string): boolean => !existsSync(folder) || readdirSync(folder).length === 0

const build = (from: string, folder: string, epoch: string, now: number) => {
  mkdirSync(folder, { mode: 0o700 })
  const path = join(folder, storeFile)
  copyFileSync(from, path)
  chmodSync(path, 0o600)
  const built = opened(path, from, (store) => {
    checkIntegrity(store, from)
    checkShape(store, from)
    const backup = { ...summaryOf(store, path), path: from }
    const identity = identityOf(store, from)
    const liveTokens = tokensOf(store)
    const revokedEnrolmentTokens = renewed(store, epoch, backup.madeAt, now)
    return { backup, identity, liveTokens, revokedEnrolmentTokens }
  })
  synced(path)
  if (built.identity !== undefined) {
    writeSecret(join(folder, tlsFiles[0]), built.identity.privateKeyPem)
    writeSecret(join(folder, tlsFiles[1]), built.identity.certificatePem)
  }
  synced(folder)
  return built
}

/**
 * Makes a hub's data folder out of a backup. All of it is built and checked beside its place, which it takes in one step, and
 * only if that is empty or not there. The store gets a new epoch: it goes on where an older one stopped, and whoever remembers
 * the later one has to know.
 */
export const restore = (
  options: { readonly data: string; readonly from: string }
): Effect.Effect<RestoreSummary, BackupError, Crypto> =>
  Effect.gen(function*() {
    const data = resolve(options.data)
    const from = resolve(options.from)
    const crypto = yield* Crypto
    const epoch = yield* crypto.randomHex(16)
    const now = yield* Clock.currentTimeMillis
    const temporary = `${data}.restoring-${process.pid}`
    return yield* attempt(from, () => {
      if (!isEmpty(data)) throw new BackupError({ reason: "in-use", path: data, detail: "" })
      checkMagic(from)
      mkdirSync(dirname(data), { recursive: true, mode: 0o700 })
      try {
        const { backup, identity, liveTokens, revokedEnrolmentTokens } = build(from, temporary, epoch, now)
        // A folder takes the place of an empty one, and of no other.
        renameSync(temporary, data)
        synced(dirname(data))
        return {
          data,
          backup,
          storeEpoch: epoch,
          fingerprint: identity?.leafSha256 ?? null,
          liveTokens,
          revokedEnrolmentTokens
        }
      } finally {
        rmSync(temporary, { recursive: true, force: true })
      }
    })
  })
