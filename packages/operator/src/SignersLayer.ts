import { layer as durableFile } from "@felhom/node/NodeDurableFile"
import { layer as signatureCrypto } from "@felhom/node/NodeSignatureCrypto"
import { Layer } from "effect"
import * as KnownSigners from "./KnownSigners.ts"
import { trustLayer } from "./TrustCommands.ts"

/** What it takes to judge hosts and signers on this machine. */
export const signersLayer = Layer.mergeAll(Layer.provide(KnownSigners.layer, durableFile), signatureCrypto, trustLayer)
