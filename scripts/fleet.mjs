// npm run fleet: three simulated hosts, enrolled at one hub. `npm run fleet -- --once` makes them sick, shows it, and ends.
import { play } from "./play.mjs"

play("fleet.js")
