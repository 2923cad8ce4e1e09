// Pairs Baileys with a simulated phone and talks: `node talk.mjs http://127.0.0.1:PORT`.
//
// Ends with 0 when everything was seen, else with 1 and a line that says what was not.
// BAILEYS_LOG=trace (or debug, info, warn, error) prints what Baileys logs, stanzas included.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DisconnectReason, WA_CERT_DETAILS } from 'baileys'
import { settings } from './account.mjs'
import { Client } from './client.mjs'
import { check, Failure } from './failure.mjs'
import { kinds, repairs, signs } from './kinds.mjs'
import { Simulator } from './simulator.mjs'
import { devices, jid, pairByCode, pairByQr, readIt, receive, send, step } from './steps.mjs'

/** The whole run takes no longer than this. */
const RUN_LIMIT_MS = 300_000

async function talk(base, folder) {
	const simulator = new Simulator(base)
	const { chatUrl, rootPublicKey } = await simulator.get('')
	// Baileys has no option for the key that the server's certificates must descend from.
	WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootPublicKey, 'hex')
	const [ours, theirs] = [await simulator.phone('Ours'), await simulator.phone('Theirs')]

	const first = new Client('first', chatUrl, path.join(folder, 'first'))
	await pairByQr(simulator, first, ours)
	await devices(simulator, ours, 1)
	const [found] = await first.socket.onWhatsApp(theirs)
	check(found?.exists, 'the other number is not found')
	await send(simulator, first, ours, theirs, 'a first text')
	await receive(simulator, first, theirs, ours, 'an answer')
	await send(simulator, first, ours, theirs, 'a text in the established session')

	await first.leave()
	const missed = await simulator.post(`/phones/${theirs}/messages`, { to: ours, type: 'text', text: 'missed' })
	await first.connect()
	await first.opens()
	await readIt(simulator, first, theirs, missed.id, 'missed')

	const second = new Client('second', chatUrl, path.join(folder, 'second'))
	await pairByCode(simulator, second, ours)
	await devices(simulator, ours, 2)
	await send(simulator, second, ours, theirs, 'a text from the second device', [first])
	step('the first device has the copy of what the second one sent')
	await receive(simulator, second, theirs, ours, 'to both devices')
	await first.text('to both devices')
	step('both devices have what came in')

	await signs(simulator, first, ours, theirs)
	await kinds(simulator, first, ours, theirs)
	await repairs(simulator, first, ours, theirs)
	await settings(first, second, ours, theirs)
	await betweenClients(simulator, first, second, chatUrl, folder, ours, theirs)

	await first.socket.logout()
	await first.ends(DisconnectReason.loggedOut, 'logout')
	await devices(simulator, ours, 1)
	step('logged out; the phone has one device less')

	const [{ id: deviceId }] = (await simulator.get(`/phones/${ours}`)).devices
	await simulator.post(`/phones/${ours}:unlink`, { deviceId })
	await second.ends(DisconnectReason.loggedOut, 'being unlinked')
	step('unlinked by the phone')

	for (const client of [first, second]) {
		check(client.complaints.length === 0, `Baileys complained:\n  ${client.complaints.join('\n  ')}`)
	}
}

/** The other account has a linked device too: from one to the other and back. */
async function betweenClients(simulator, first, second, chatUrl, folder, ours, theirs) {
	const other = new Client('other', chatUrl, path.join(folder, 'other'))
	await pairByQr(simulator, other, theirs)
	await first.socket.sendMessage(jid(theirs), { text: 'to a linked device' })
	await other.text('to a linked device')
	await other.socket.sendMessage(jid(ours), { text: 'from a linked device' })
	await Promise.all([first, second].map(client => client.text('from a linked device')))
	await other.leave()
	check(other.complaints.length === 0, `Baileys complained:\n  ${other.complaints.join('\n  ')}`)
	step('two linked devices of two accounts talked')
}

async function main() {
	const [base] = process.argv.slice(2)
	if (base === undefined) {
		throw new Failure('usage: node talk.mjs http://127.0.0.1:PORT')
	}

	const folder = mkdtempSync(path.join(tmpdir(), 'wagate-baileys-'))
	// At the very end, when Baileys can no longer write into it.
	process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
	setTimeout(() => fail(new Failure(`not done within ${RUN_LIMIT_MS} ms`)), RUN_LIMIT_MS)
	await talk(base, folder)
	console.log('everything was seen')
	process.exit(0)
}

function fail(error) {
	console.error(`failed: ${error instanceof Failure ? error.message : error.stack}`)
	process.exit(1)
}

main().catch(fail)
