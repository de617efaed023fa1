import { version } from "@felhom/domain/Version"
import { Clock, Effect } from "effect"
import Libsql from "libsql"
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync
} from "node:fs"
import { dirname, join, resolve } from "node:path"
import { BackupError } from "./BackupError.ts"

/** What a backup holds, for the person who made or restores it. Times in milliseconds since the epoch. */
export interface BackupSummary {
  readonly path: string
  readonly bytes: number
  readonly madeAt: number
  readonly hubVersion: string
  readonly storeEpoch: string
  readonly hosts: number
  /** Host keys that were accepted. */
  readonly keys: number
  /** Live tokens of hosts and people. */
  readonly tokens: number
  readonly events: number
  /** When the last report in it came; null when none ever did. */
  readonly lastReportAt: number | null
  /** Whether the TLS key is in it, by which agents and operators know the hub. */
  readonly tlsKey: boolean
}

/** What a new machine needs beside the store, so that all pins stay good. */
export const tlsFiles = ["tls-key.pem", "tls-certificate.pem"] as const

export const storeFile = "hub.db"

export type Store = InstanceType<typeof Libsql>

const detailOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

/** Runs what throws as the file system and the driver do. */
export const attempt = <A>(path: string, evaluate: () => A): Effect.Effect<A, BackupError> =>
  Effect.try({
    try: evaluate,
    catch: (cause) =>
      cause instanceof BackupError ? cause : new BackupError({ reason: "failed", path, detail: detailOf(cause) })
  })

/** A connection for as long as `use` takes. */
export const withStore = <A>(path: string, use: (store: Store) => A): A => {
  const store = new Libsql(path)
  try {
    return use(store)
  } finally {
    store.close()
  }
}

/** The first column of a statement's one row. */
export const one = (store: Store, sql: string): unknown => {
  const row: unknown = store.prepare(sql).get()
  return typeof row === "object" && row !== null ? Object.values(row)[0] : undefined
}

export const numberOf = (value: unknown): number => typeof value === "number" ? value : 0

/** Throws when the file's own structure is broken. */
export const checkIntegrity = (store: Store, path: string): void => {
  const said = one(store, "PRAGMA integrity_check")
  if (said !== "ok") {
    throw new BackupError({ reason: "not-a-backup", path, detail: `its check says: ${String(said).slice(0, 200)}` })
  }
}

/** On disk, whatever happens to the power. */
export const synced = (path: string): void => {
  const handle = openSync(path, "r")
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** What the open backup says of itself. */
export const summaryOf = (store: Store, path: string): BackupSummary => {
  const lastReportAt = one(store, "SELECT max(last_seen) FROM host")
  return {
    path,
    bytes: statSync(path).size,
    madeAt: numberOf(one(store, "SELECT made_at FROM backup_manifest")),
    hubVersion: String(one(store, "SELECT hub_version FROM backup_manifest")),
    storeEpoch: String(one(store, "SELECT epoch FROM store")),
    hosts: numberOf(one(store, "SELECT count(*) FROM host")),
    keys: numberOf(one(store, "SELECT count(*) FROM host_key WHERE accepted_at IS NOT NULL")),
    tokens: numberOf(one(store, "SELECT count(*) FROM token WHERE revoked_at IS NULL")),
    events: numberOf(one(store, "SELECT count(*) FROM event")),
    lastReportAt: typeof lastReportAt === "number" ? lastReportAt : null,
    tlsKey: one(store, `SELECT count(*) FROM backup_file WHERE name = '${tlsFiles[0]}'`) === 1
  }
}

/** One moment of the store, taken beside a running hub: readers of a write-ahead log see one commit and no part of the next. */
const copied = (from: string, temporary: string): void => {
  // Made first, so that at no moment anybody else may read it.
  closeSync(openSync(temporary, "wx", 0o600))
  withStore(from, (store) => {
    store.prepare("PRAGMA busy_timeout = 5000").all()
    store.prepare("VACUUM INTO ?").run(temporary)
  })
  chmodSync(temporary, 0o600)
}

const completed = (data: string, temporary: string, madeAt: number): BackupSummary =>
  withStore(temporary, (store) => {
    // One file, without a log beside it.
    store.prepare("PRAGMA journal_mode = DELETE").all()
    store.exec("CREATE TABLE backup_manifest (made_at INTEGER NOT NULL, hub_version TEXT NOT NULL)")
    store.exec("CREATE TABLE backup_file (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID")
    store.prepare("INSERT INTO backup_manifest (made_at, hub_version) VALUES (?, ?)").run(madeAt, version)
    for (const name of tlsFiles) {
      const path = join(data, name)
      if (existsSync(path)) {
        store.prepare("INSERT INTO backup_file (name, content) VALUES (?, ?)").run(name, readFileSync(path))
      }
    }
    checkIntegrity(store, temporary)
    return summaryOf(store, temporary)
  })

/** Puts it in place, over another file only when that was asked for. */
const placed = (temporary: string, to: string, force: boolean): void => {
  synced(temporary)
  // Again, since it took its time. A link would leave no gap at all, but a USB stick's file system has none.
  if (!force && existsSync(to)) throw new BackupError({ reason: "exists", path: to, detail: "" })
  renameSync(temporary, to)
  synced(dirname(to))
}

/**
 * Writes all of a hub into one file, readable by its owner only: the store as of one moment, and the TLS key and certificate.
 * It works beside a running hub. The file is complete and was checked before it has its name. **It is a secret**: it holds the
 * hub's private key.
 */
export const backup = (
  options: { readonly data: string; readonly to: string; readonly force: boolean }
): Effect.Effect<BackupSummary, BackupError> =>
  Effect.gen(function*() {
    const data = resolve(options.data)
    const to = resolve(options.to)
    const from = join(data, storeFile)
    const madeAt = yield* Clock.currentTimeMillis
    // Beside its place, so that the last step is one on one file system.
    const temporary = `${to}.${process.pid}.tmp`
    return yield* attempt(to, () => {
      if (!existsSync(from)) throw new BackupError({ reason: "no-store", path: data, detail: "" })
      if (!options.force && existsSync(to)) throw new BackupError({ reason: "exists", path: to, detail: "" })
      rmSync(temporary, { force: true })
      try {
        copied(from, temporary)
        const summary = completed(data, temporary, madeAt)
        placed(temporary, to, options.force)
        return { ...summary, path: to, bytes: statSync(to).size }
      } finally {
        rmSync(temporary, { force: true })
      }
    })
  })
