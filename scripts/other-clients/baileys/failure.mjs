// How a run fails.

/** No single thing takes longer than this, or the run has failed. Baileys may hold events back for 30 s. */
export const PATIENCE_MS = 45_000

/** Something was not as it should be; the message says what. */
export class Failure extends Error {}

export function check(isTrue, what) {
	if (!isTrue) {
		throw new Failure(what)
	}
}
