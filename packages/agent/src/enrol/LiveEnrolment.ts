import type { FileSystem } from "@effect/platform"
import type { Crypto } from "@felhom/domain/port/Crypto"
import type { DurableFile, DurableFileError } from "@felhom/domain/port/DurableFile"
import type { Ed25519 } from "@felhom/domain/port/Ed25519"
import type * as StateFile from "@felhom/durable/StateFile"
import * as EnrolmentClient from "@felhom/hub-client/EnrolmentClient"
import * as NodeDurableFile from "@felhom/node/NodeDurableFile"
import { Effect, Layer } from "effect"
import * as Live from "../Live.ts"
import * as Settings from "../Settings.ts"
import type { SettingsError } from "../SettingsError.ts"
import type * as HostKey from "./HostKey.ts"

/** What an enrolment stands on: the hub without a Bearer, the host's key and its state. Beside Live, as the daemon has no use for it. */
export const layer: Layer.Layer<
  EnrolmentClient.EnrolmentClient | HostKey.HostKey | Ed25519 | StateFile.StateFile | DurableFile,
  SettingsError | StateFile.StateFileCorrupt | DurableFileError | HostKey.HostKeyCorrupt,
  Settings.SettingsSource | FileSystem.FileSystem | Crypto
> = Layer.unwrapEffect(
  Effect.map(Settings.enrolmentSettings, (settings) =>
    Layer.mergeAll(
      Layer.provide(EnrolmentClient.layer(settings.url), Live.pinned(settings)),
      Live.state,
      Live.hostKey,
      NodeDurableFile.layer
    ))
)
