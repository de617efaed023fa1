import { pctCreate } from "@felhom/privileged/PctCreateDirect"
import { pctCreateExchange } from "@felhom/privileged/RootExchange"
import { answerTo } from "@felhom/privileged/RootHelper"
import { runHelper } from "./RunHelper.ts"

// felhom-agent-pct-create@.service
runHelper(answerTo(pctCreateExchange, pctCreate))
