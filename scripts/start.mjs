// npm start: plays the story, and the drill of the evil hub within it. `npm start -- --once` ends after it, with 0, or 1 and the step that failed.
import { play } from "./play.mjs"

play("story.js")
