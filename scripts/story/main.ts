import { perform } from "./Perform.ts"
import { story } from "./Story.ts"

perform("The story", (step) => story(step, { once: process.argv.includes("--once") }))
