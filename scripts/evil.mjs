// npm run evil: a hub that lies, replays and forges, against real agents on simulated hosts; npm run evil -- --help tells more. Ends with how many attacks were refused.
import { play } from "./play.mjs"

play("evil-hub.js")
