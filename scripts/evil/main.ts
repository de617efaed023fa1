import { perform } from "../story/Perform.ts"
import { campaign } from "./Campaign.ts"

perform("The evil hub", campaign)
