// npm run evil: a hub that lies, replays and forges, against a real agent and a simulated host. Ends with how many attacks were refused.
import { play } from "./play.mjs"

play("evil-hub.js")
