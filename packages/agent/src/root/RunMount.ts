import { mountVerb } from "@felhom/privileged/MountDirect"
import { mountExchange } from "@felhom/privileged/RootExchange"
import { answerTo } from "@felhom/privileged/RootHelper"
import { Effect } from "effect"
import * as NodeMarkFiles from "./NodeMarkFiles.ts"
import * as NodeUnitFiles from "./NodeUnitFiles.ts"
import { runHelper } from "./RunHelper.ts"

const answer = answerTo(mountExchange, mountVerb)

// felhom-agent-mount@.service
runHelper((line) => Effect.provide(answer(line), [NodeUnitFiles.layer(NodeUnitFiles.hostUnits), NodeMarkFiles.layer]))
