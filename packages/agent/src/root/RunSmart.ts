import { smartExchange } from "@felhom/privileged/RootExchange"
import { answerTo } from "@felhom/privileged/RootHelper"
import { smart } from "@felhom/privileged/SmartDirect"
import { runHelper } from "./RunHelper.ts"

// felhom-agent-smart@.service
runHelper(answerTo(smartExchange, smart))
