import { onlyOnce } from "./OnlyOnce.ts"
import { perform } from "./Perform.ts"
import { story } from "./Story.ts"

const once = onlyOnce("npm start")
perform("The story", (step) => story(step, { once }))
