import * as AlarmStore from "@felhom/hub/AlarmStore"
import * as Database from "@felhom/hub/Database"
import { DataFolder } from "@felhom/hub/DataFolder"
import * as HostStore from "@felhom/hub/HostStore"
import { HubSettings } from "@felhom/hub/HubSettings"
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

/** A hub without its server, over a store of its own: 30 s between reports, and a history of three. */
export const storeLayer = Layer.mergeAll(Ingest.layer, HostStore.layer, TokenStore.layer).pipe(
  Layer.provideMerge(AlarmStore.layer),
  Layer.provideMerge(Database.layer),
  Layer.provideMerge(Layer.mergeAll(
    folder,
    NodeCrypto.layer,
    HubSettings.layer({ reportIntervalSeconds: 30, historyPerHost: 3 })
  ))
)
