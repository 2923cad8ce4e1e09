// Other kinds of messages, what is done to messages, and messages that cannot be decrypted at first.

import { check } from './failure.mjs'
import { jid, step } from './steps.mjs'

/** Online, typing, reactions, edits and revocations, both ways. */
export async function signs(simulator, client, ours, theirs) {
	const { socket } = client
	await socket.sendPresenceUpdate('available')
	await socket.presenceSubscribe(jid(theirs))
	await simulator.post(`/phones/${theirs}:presence`, { state: 'online' })
	await simulator.post(`/phones/${theirs}:typing`, { to: ours, state: 'composing' })
	await presence(client, 'available')
	await presence(client, 'composing')
	step('saw the other phone online and typing')

	const { key } = await socket.sendMessage(jid(theirs), { text: 'to be reacted to' })
	await simulator.message(theirs, 'the text to react to', ({ id }) => id === key.id)
	await simulator.post(`/phones/${theirs}/messages/${key.id}:react`, { emoji: '👍' })
	await client.event('messages.reaction', 'reaction', reactions =>
		reactions.find(({ key: target, reaction }) => target.id === key.id && reaction.text === '👍'),
	)
	await socket.sendMessage(jid(theirs), { text: 'edited', edit: key })
	await simulator.message(theirs, 'the edit', ({ type, targetId, body }) => type === 'edit' && targetId === key.id && body === 'edited')
	await socket.sendMessage(jid(theirs), { delete: key })
	await simulator.message(theirs, 'the revocation', ({ type, targetId }) => type === 'revoke' && targetId === key.id)
	step('a text of ours got a reaction, was edited and revoked')

	const sent = await simulator.post(`/phones/${theirs}/messages`, { to: ours, type: 'text', text: 'theirs to edit' })
	const message = await client.text('theirs to edit')
	await socket.sendMessage(jid(theirs), { react: { key: message.key, text: '🎉' } })
	await simulator.message(theirs, 'our reaction', ({ type, targetId, body }) => type === 'reaction' && targetId === sent.id && body === '🎉')
	await socket.sendMessage(jid(theirs), { text: 'quoting' }, { quoted: message })
	await simulator.message(theirs, 'the quote', ({ body, quotedId }) => body === 'quoting' && quotedId === sent.id)
	await simulator.post(`/phones/${theirs}/messages/${sent.id}:edit`, { text: 'theirs, edited' })
	await client.event('messages.update', 'edit', updates =>
		updates.find(({ key: target, update }) => target.id === sent.id && textOf(update.message?.editedMessage?.message) === 'theirs, edited'),
	)
	await simulator.post(`/phones/${theirs}/messages/${sent.id}:revoke`)
	await client.event('messages.update', 'revocation', updates =>
		updates.find(({ key: target, update }) => target.id === sent.id && update.message === null),
	)
	step('a text of theirs got a reaction and an answer, was edited and revoked')
}

function textOf(message) {
	return message?.conversation ?? message?.extendedTextMessage?.text
}

function presence(client, state) {
	return client.event('presence.update', `presence ${state}`, ({ presences }) =>
		Object.values(presences).find(({ lastKnownPresence }) => lastKnownPresence === state),
	)
}

/** Polls, locations and contacts, both ways. */
export async function kinds(simulator, client, ours, theirs) {
	const { socket } = client
	const contact = { displayName: 'Ann', vcard: 'BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nTEL;waid=15550000001:+15550000001\nEND:VCARD' }
	for (const [kind, content] of Object.entries({
		poll: { poll: { name: 'Which?', values: ['this', 'that'], selectableCount: 1 } },
		location: { location: { degreesLatitude: 1.5, degreesLongitude: 2.5 } },
		contact: { contacts: { displayName: 'Ann', contacts: [contact] } },
	})) {
		const { key } = await socket.sendMessage(jid(theirs), content)
		const arrived = await simulator.message(theirs, `our ${kind}`, ({ id }) => id === key.id)
		check(arrived.type === kind, `our ${kind} arrived as ${arrived.type}`)
	}

	for (const [kind, field, fields] of [
		['poll', 'pollCreationMessage', { name: 'Which?', options: ['this', 'that'] }],
		['location', 'locationMessage', { latitude: 1.5, longitude: 2.5 }],
		['contact', 'contactMessage', { contact: { name: 'Ann', phone: '+15550000001' } }],
	]) {
		const sent = await simulator.post(`/phones/${theirs}/messages`, { to: ours, type: kind, ...fields })
		const { message } = await client.message(kind, ({ key }) => key.id === sent.id)
		check(Object.keys(message).some(name => name.startsWith(field)), `their ${kind} came in as ${Object.keys(message)}`)
	}

	step('polls, locations and contacts, out and in')
}

/** Either side has lost its sessions: what cannot be decrypted is asked for, and sent again. */
export async function repairs(simulator, client, ours, theirs) {
	await simulator.post(`/phones/${theirs}:forget-sessions`)
	const { key } = await client.socket.sendMessage(jid(theirs), { text: 'to a phone without sessions' })
	await simulator.message(theirs, 'the text to a phone without sessions', ({ id, body }) => id === key.id && body === 'to a phone without sessions')
	step('sent a text that was asked for again')

	const { keys } = client.socket.authState
	const { lid } = await simulator.get(`/phones/${theirs}`)
	const addresses = [lid, jid(theirs)].map(each => client.socket.signalRepository.jidToSignalProtocolAddress(each))
	await keys.set({ session: Object.fromEntries(addresses.map(address => [address, null])) })
	await simulator.post(`/phones/${theirs}/messages`, { to: ours, type: 'text', text: 'to a client without sessions' })
	await client.text('to a client without sessions')
	step('received a text that was asked for again')
}
