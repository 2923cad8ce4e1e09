// Settings of the account: on the server, and shared among its devices.

import { check } from './failure.mjs'
import { jid, step } from './steps.mjs'

/** Changes settings with one device and sees them with another. */
export async function settings(client, second, ours, theirs) {
	const { socket } = client
	await socket.updateLastSeenPrivacy('contacts')
	const privacy = await second.socket.fetchPrivacySettings(true)
	check(privacy.last === 'contacts', `who sees when we were here is ${privacy.last}, not contacts`)

	await socket.updateBlockStatus(jid(theirs), 'block')
	const blocked = await second.socket.fetchBlocklist()
	check(blocked.length === 1, `${blocked.length} are blocked, not one`)
	await socket.updateBlockStatus(jid(theirs), 'unblock')
	check((await second.socket.fetchBlocklist()).length === 0, 'still blocked')

	await socket.updateProfileStatus('All is well')
	const [about] = await second.socket.fetchStatus(jid(ours))
	check(about?.status?.status === 'All is well', `the about text is ${JSON.stringify(about)}`)
	await socket.updateDefaultDisappearingMode(86_400)
	const [disappearing] = await second.socket.fetchDisappearingDuration(jid(ours))
	check(disappearing?.disappearing_mode?.duration === 86_400, `the timer is ${JSON.stringify(disappearing)}`)
	await second.event('creds.update', 'timer of new chats', ({ accountSettings }) =>
		accountSettings?.defaultDisappearingMode?.ephemeralExpiration === 86_400 ? true : undefined,
	)
	check(Object.keys(await socket.groupFetchAllParticipating()).length === 0, 'there are groups')
	step('privacy, blocking, about text and the timer of new chats are kept')

	await socket.chatModify({ pin: true }, jid(theirs))
	await second.event('chats.update', 'pinned chat', chats => chats.find(({ id, pinned }) => id === jid(theirs) && pinned))
	await second.socket.chatModify({ pushNameSetting: 'Another name' }, '')
	await client.event('creds.update', 'new name', ({ me }) => (me?.name === 'Another name' ? me : undefined))
	step('a pinned chat and a new name reached the other device')

	await socket.rotateSignedPreKey()
	await socket.uploadPreKeys()
	await socket.digestKeyBundle()
	step('keys were rotated and uploaded')
}
