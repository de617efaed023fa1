import { onlyOnce } from "../story/OnlyOnce.ts"
import { perform } from "../story/Perform.ts"
import { fleet } from "./Fleet.ts"

const once = onlyOnce("npm run fleet")
perform("The fleet", (step) => fleet(step, { once }))
