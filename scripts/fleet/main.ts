import { perform } from "../story/Perform.ts"
import { fleet } from "./Fleet.ts"

perform("The fleet", (step) => fleet(step, { once: process.argv.includes("--once") }))
