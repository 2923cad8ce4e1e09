// One linked device run by Baileys, and what it was told.

import makeWASocket, { useMultiFileAuthState } from 'baileys'
import { Failure, PATIENCE_MS } from './failure.mjs'

// Its Signal library prints sessions, keys and all, when it closes them.
for (const level of ['info', 'warn']) {
	console[level] = () => {}
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error']

/** What Baileys calls errors when all is well. */
const EXPECTED_COMPLAINTS = [
	// A stream that was ended on purpose, and what was not yet acknowledged then.
	/^stream errored out/,
	/^failed to ack \w+ .*Connection Closed/,
	// A message that comes again after it was asked for.
	/^failed to decrypt message .*No session record/,
	/^transaction failed, rolling back .*No session record/,
]

/** What a client was told, and who waits for more. */
class Journal {
	constructor(name) {
		this.name = name
		this.entries = []
		this.waiting = new Set()
	}

	add(entry) {
		this.entries.push(entry)
		for (const wake of [...this.waiting]) {
			wake()
		}
	}

	/** The first value that `pick` makes of an entry, of those that came and those to come. */
	until(what, pick) {
		return new Promise((resolve, reject) => {
			let next = 0
			const look = () => {
				while (next < this.entries.length) {
					const picked = pick(this.entries[next++])
					if (picked !== undefined) {
						finish()
						resolve(picked)
						return
					}
				}
			}

			const timer = setTimeout(() => {
				finish()
				reject(new Failure(`${this.name}: no ${what} within ${PATIENCE_MS} ms`))
			}, PATIENCE_MS)
			const finish = () => {
				clearTimeout(timer)
				this.waiting.delete(look)
			}

			this.waiting.add(look)
			look()
		})
	}
}

/** One linked device run by Baileys, with its keys in a folder. */
export class Client {
	constructor(name, chatUrl, folder) {
		this.name = name
		this.chatUrl = chatUrl
		this.folder = folder
		this.complaints = []
		this.logger = this.makeLogger()
		this.events = new Journal(name)
	}

	/** Opens a connection with the keys that are there; `this.updates` holds what it says of itself. */
	async connect() {
		const { state, saveCreds } = await useMultiFileAuthState(this.folder)
		const updates = new Journal(this.name)
		const receipts = new Journal(this.name)
		const saves = []
		const socket = makeWASocket({
			auth: state,
			waWebSocketUrl: this.chatUrl,
			logger: this.logger,
			connectTimeoutMs: PATIENCE_MS,
		})
		socket.ev.on('creds.update', () => saves.push(saveCreds()))
		socket.ev.on('connection.update', update => updates.add(update))
		socket.ws.on('CB:receipt', ({ attrs }) => receipts.add(attrs))
		socket.ev.process(batch => {
			for (const [event, data] of Object.entries(batch)) {
				this.events.add({ event, data })
			}
		})

		Object.assign(this, { socket, updates, receipts, saves })
	}

	/** Waits for the end of the connection and takes its reason, which must be the expected one. */
	async ends(reason, what) {
		const { lastDisconnect } = await this.updates.until(what, update =>
			update.connection === 'close' ? update : undefined,
		)
		await Promise.all(this.saves)
		const code = lastDisconnect?.error?.output?.statusCode
		if (code !== reason) {
			throw new Failure(`${this.name}: ${what}: ended with ${code} (${lastDisconnect?.error?.message}), not ${reason}`)
		}
	}

	/** Waits until Baileys says that it is in, and has been given all that waited for it. */
	async opens() {
		const state = await this.updates.until('open connection', update => update.connection === 'open' || update.connection === 'close' ? update : undefined)
		if (state.connection === 'close') {
			throw new Failure(`${this.name}: not let in: ${state.lastDisconnect?.error?.message}`)
		}

		await this.updates.until('end of what was waiting', update => update.receivedPendingNotifications || undefined)
	}

	/** The next QR code. */
	qr() {
		return this.updates.until('QR code', update => update.qr)
	}

	/** A code to be typed into the phone. Baileys hands it out before the server knows of it. */
	async pairingCode(number) {
		const registered = new Journal(this.name)
		this.socket.ws.once('CB:iq,type:result,link_code_companion_reg', stanza => registered.add(stanza))
		const code = await this.socket.requestPairingCode(number)
		await registered.until('answer to the request of a code', stanza => stanza)
		return code
	}

	/** Waits until a new device has the history and the settings that its phone gave it. */
	catchesUp() {
		return this.event('creds.update', 'end of the first synchronization', ({ accountSyncCounter }) => accountSyncCounter || undefined)
	}

	/** Waits for a message that `isIt` takes. */
	message(what, isIt) {
		return this.event('messages.upsert', what, ({ messages }) => messages.find(isIt))
	}

	/** Waits for a message with this text. */
	text(body) {
		return this.message(`message “${body}”`, ({ message }) => (message?.conversation ?? message?.extendedTextMessage?.text) === body)
	}

	/** Waits for an event of this name that `pick` makes a value of. */
	event(name, what, pick) {
		return this.events.until(what, ({ event, data }) => (event === name ? pick(data) : undefined))
	}

	/** Waits until an own message has got this far. While Baileys buffers, an update goes into the message itself. */
	receipt(id, status, what) {
		return this.events.until(`${what} receipt`, ({ event, data }) => {
			if (event === 'messages.update') {
				return data.find(({ key, update }) => key.id === id && update.status === status)
			}

			return event === 'messages.upsert'
				? data.messages.find(message => message.key.id === id && message.status === status)
				: undefined
		})
	}

	/** Waits until so many other devices of the account have told that they have a copy of an own message. */
	copies(id, count) {
		const devices = new Set()
		return this.receipts.until(`receipt for a copy by ${count} devices`, receipt => {
			if (receipt.id === id && receipt.type === 'sender') {
				devices.add(receipt.from)
			}

			return devices.size === count || undefined
		})
	}

	/** Leaves without logging out, as a program does that is stopped. */
	async leave() {
		await this.socket.end(undefined)
		await Promise.all(this.saves)
	}

	makeLogger() {
		const wanted = LEVELS.indexOf(process.env.BAILEYS_LOG ?? '')
		const logger = { level: wanted < 0 ? 'silent' : LEVELS[wanted], child: () => logger }
		LEVELS.forEach((level, index) => {
			logger[level] = (fields, message) => {
				const line = typeof fields === 'string' ? fields : [message ?? fields?.msg, describe(fields)].join(' ')
				if (wanted >= 0 && index >= wanted) {
					console.error(`${this.name} ${level} ${line}`)
				}

				if (level === 'error' && !EXPECTED_COMPLAINTS.some(expected => expected.test(line))) {
					this.complaints.push(line)
				}
			}
		})
		return logger
	}
}

/** Fields of a log record as text; errors by their stacks, stanzas as they are. */
function describe(fields) {
	if (typeof fields?.xml === 'string') {
		return fields.xml
	}

	return JSON.stringify(fields, (_, value) =>
		value instanceof Error ? value.stack : value?.type === 'Buffer' ? `<${value.data.length} bytes>` : value,
	)
}
