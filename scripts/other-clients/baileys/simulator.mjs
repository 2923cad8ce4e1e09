// The control API of the simulator.

import { Failure, PATIENCE_MS } from './failure.mjs'

/** The control API of the simulator. */
export class Simulator {
	constructor(base) {
		this.base = base.replace(/\/+$/, '')
	}

	async call(method, route, body) {
		const answer = await fetch(`${this.base}/sim/v1${route}`, {
			method,
			headers: body === undefined ? {} : { 'content-type': 'application/json' },
			body: body === undefined ? undefined : JSON.stringify(body),
			signal: AbortSignal.timeout(PATIENCE_MS + 5_000),
		})
		const text = await answer.text()
		if (!answer.ok) {
			throw new Failure(`${method} ${route} was answered with ${answer.status}: ${text}`)
		}

		return text === '' ? undefined : JSON.parse(text)
	}

	get(route) {
		return this.call('GET', route)
	}

	post(route, body = {}) {
		return this.call('POST', route, body)
	}

	/** Makes a phone; answers with its number. */
	async phone(pushName) {
		const { number } = await this.post('/phones', { pushName })
		return number
	}

	/** Waits until the phone has a message that `isIt` takes; long polls, message after message. */
	async message(number, what, isIt) {
		const giveUpAt = Date.now() + PATIENCE_MS
		let afterId = ''
		for (;;) {
			const waitMs = giveUpAt - Date.now()
			if (waitMs <= 0) {
				throw new Failure(`the phone did not get ${what}`)
			}

			const { data } = await this.get(`/phones/${number}/messages?waitMs=${waitMs}&afterId=${afterId}`)
			const found = data.find(isIt)
			if (found) {
				return found
			}

			afterId = data.at(-1)?.id ?? afterId
		}
	}

	/** Waits until a message that the phone sent or took has this status. */
	async status(number, id, status) {
		const giveUpAt = Date.now() + PATIENCE_MS
		for (;;) {
			const message = await this.get(`/phones/${number}/messages/${id}`)
			if (message.status === status) {
				return
			}

			if (Date.now() > giveUpAt) {
				throw new Failure(`the phone's message is ${message.status}, not ${status}`)
			}
		}
	}
}
