// What every conversation is made of: pairing, texts out with their receipts, texts in.

import { DisconnectReason, WAMessageStatus } from 'baileys'
import { check } from './failure.mjs'

export const jid = number => `${number}@s.whatsapp.net`

export function step(text) {
	console.log(`ok: ${text}`)
}

/** Waits until the phone's list of linked devices has this many entries. */
export async function devices(simulator, number, count) {
	const phone = await simulator.get(`/phones/${number}`)
	check(phone.devices.length === count, `the phone has ${phone.devices.length} linked devices, not ${count}`)
}

/** After pairing the server ends the stream with 515: the client connects again, as the new device. */
async function restart(client) {
	await client.ends(DisconnectReason.restartRequired, 'restart after pairing')
	await client.connect()
	await client.opens()
}

export async function pairByQr(simulator, client, number) {
	await client.connect()
	const qr = await client.qr()
	// The phone's answer comes once the new device has logged in, so both go on at once.
	await Promise.all([simulator.post(`/phones/${number}:scan`, { qr }), restart(client)])
	await client.catchesUp()
	step('paired by QR code, restarted, connected')
}

export async function pairByCode(simulator, client, number) {
	await client.connect()
	await client.qr()
	const code = await client.pairingCode(number)
	await Promise.all([simulator.post(`/phones/${number}:enter-code`, { code }), restart(client)])
	await client.catchesUp()
	step('paired by code, restarted, connected')
}

/**
 * A text to the other phone, with its receipts, and the copies on our own phone and other devices.
 *
 * The other phone is away at first. Baileys takes the receipt of an own device for the state of the
 * message, and when it comes last the delivery is lost; so the own devices have to be first.
 */
export async function send(simulator, client, ours, theirs, text, others = []) {
	await simulator.post(`/phones/${theirs}:offline`)
	const { key } = await client.socket.sendMessage(jid(theirs), { text })
	const copy = await simulator.message(ours, `the copy of “${text}”`, message => message.id === key.id)
	check(copy.fromMe && copy.body === text && copy.chatJid === jid(theirs), `our own phone took “${text}” for something else: ${JSON.stringify(copy)}`)
	await Promise.all(others.map(other => other.text(text)))
	await client.copies(key.id, 1 + others.length)
	await simulator.post(`/phones/${theirs}:online`)
	const arrived = await simulator.message(theirs, `“${text}”`, message => message.body === text)
	check(arrived.id === key.id && !arrived.fromMe && arrived.chatJid === jid(ours), `“${text}” arrived as something else: ${JSON.stringify(arrived)}`)
	await client.receipt(key.id, WAMessageStatus.DELIVERY_ACK, 'delivery')
	await simulator.post(`/phones/${theirs}/messages/${key.id}:read`)
	await client.receipt(key.id, WAMessageStatus.READ, 'read')
	step(`sent “${text}”: decrypted by both phones, delivered, read`)
}

/** A text from the other phone, read by the client. */
export async function receive(simulator, client, theirs, ours, text) {
	const sent = await simulator.post(`/phones/${theirs}/messages`, { to: ours, type: 'text', text })
	await readIt(simulator, client, theirs, sent.id, text)
}

export async function readIt(simulator, client, theirs, id, text) {
	const message = await client.text(text)
	check(message.key.id === id && !message.key.fromMe, `“${text}” came in as something else: ${JSON.stringify(message.key)}`)
	await client.socket.readMessages([message.key])
	await simulator.status(theirs, id, 'read')
	step(`received “${text}”, the sender saw it read`)
}
