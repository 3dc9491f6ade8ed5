/** Mails about access: each goes out once, and none stops the others. */
import { randomUUIDv7 } from 'node:crypto'
import { sendAccessMails } from '../../activities/access-mails.ts'
import { inTransaction } from '../../db/database.ts'
import { type AccessMail, recordAccessMail } from '../../db/people/mails.ts'
import type { Mail, Mailer } from '../../integrations/email.ts'
import { createLinks } from '../../integrations/links.ts'
import { VendorError, type VendorFailure } from '../../integrations/vendor-error.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
let partnerId: string
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db, { name: 'Acme' })
})
afterAll(() => database.drop())

const links = createLinks({
  publicUrl: 'https://api.tributary.example',
  tenantDomain: 'tributary.example',
  linkSecret: 'a-secret-of-more-than-thirty-two-characters',
})

async function write(kind: AccessMail['kind'], recipient: string, what = '') {
  const subjectId = randomUUIDv7()
  const mail = { kind, subjectId, partnerId, recipient, name: 'Ada', what }
  await inTransaction(database.db, (trx) => recordAccessMail(trx, mail))
  return subjectId
}

/** A mail server that refuses some addresses. */
function mailerOf(refuse: Record<string, VendorFailure> = {}) {
  const sent: Mail[] = []
  const send = async (mail: Mail) => {
    const failure = refuse[mail.to]
    if (failure) throw new VendorError({ vendor: 'mail', failure, code: 'x', message: 'no' })
    sent.push(mail)
  }
  const mailer = { send, close() {} } as Mailer
  const round = () => sendAccessMails({ db: database.db, mailer, links })
  return { sent, round }
}

test('each is sent once, with the link that belongs to it', async () => {
  const invitation = await write('member_invitation', 'a@x.example')
  const reset = await write('password_reset', 'b@x.example')
  await write('access_changed', 'c@x.example', 'Your password was changed.')
  const start = await write('invitation', 'd@x.example')
  const { sent, round } = mailerOf()
  await round()
  await round()
  const recipients = ['a@x.example', 'b@x.example', 'c@x.example', 'd@x.example']
  expect(sent.map(({ to }) => to)).toEqual(recipients)
  const [first, second, third, fourth] = sent.map(({ content }) => content)
  expect(first?.subject).toBe('You are invited to Acme')
  expect(first?.action?.url).toContain(links.memberInvitationToken(invitation))
  expect(second?.action?.url).toContain(links.passwordResetToken(reset))
  expect(third?.paragraphs[0]).toBe('Your password was changed.')
  expect(fourth?.action?.url).toBe(links.inviteUrl(links.invitationToken(start)))
})

test('an address that is refused for good stops nobody else, and is not tried again', async () => {
  for (const name of ['bad', 'good']) await write('access_changed', `${name}@x.example`, 'x')
  const { sent, round } = mailerOf({ 'bad@x.example': 'rejected' })
  await round()
  expect(sent.map(({ to }) => to)).toEqual(['good@x.example'])
  const later = mailerOf()
  await later.round()
  expect(later.sent).toEqual([])
})

test('while the server is away the mails wait, and the round goes on without them', async () => {
  for (const name of ['first', 'second']) await write('access_changed', `${name}@x.example`, 'x')
  const away = mailerOf({ 'first@x.example': 'unknown' })
  await away.round()
  expect(away.sent).toEqual([])
  const back = mailerOf()
  await back.round()
  expect(back.sent.map(({ to }) => to)).toEqual(['first@x.example', 'second@x.example'])
})
