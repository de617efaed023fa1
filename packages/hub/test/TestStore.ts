import * as AlarmBook from "@felhom/hub/AlarmBook"
import * as AlarmStore from "@felhom/hub/AlarmStore"
import * as Database from "@felhom/hub/Database"
import { DataFolder } from "@felhom/hub/DataFolder"
import * as HostJudge from "@felhom/hub/HostJudge"
import * as HostStore from "@felhom/hub/HostStore"
import { HubSettings } from "@felhom/hub/HubSettings"
import * as HubUptime from "@felhom/hub/HubUptime"
import * as Ingest from "@felhom/hub/Ingest"
import * as TokenStore from "@felhom/hub/TokenStore"
import * as NodeCrypto from "@felhom/node/NodeCrypto"
import { Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = Layer.scoped(
  DataFolder,
  Effect.acquireRelease(
    Effect.sync(() => ({ path: mkdtempSync(join(tmpdir(), "felhom-hub-")) })),
    ({ path }) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
)

/** A hub without its server, over the store in the folder: 30 s between reports. */
export const storeOver = Layer.mergeAll(Ingest.layer, HostStore.layer, TokenStore.layer).pipe(
  Layer.provideMerge(HostJudge.layer),
  Layer.provideMerge(Layer.mergeAll(AlarmStore.layer, AlarmBook.layer, HubUptime.layer)),
  Layer.provideMerge(Database.layer),
  Layer.provideMerge(
    Layer.merge(NodeCrypto.layer, HubSettings.layer({ reportIntervalSeconds: 30, maxStoreBytes: 1e9 }))
  )
)

/** The same, over a store of its own. */
export const storeLayer = Layer.provideMerge(storeOver, folder)
