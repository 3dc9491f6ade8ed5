/** The first mails to a partner: each once, none about what is done, none against its wish. */

import { inTransaction } from '../../db/database.ts'
import { markPartner } from '../../db/partners.ts'
import { findWelcome, recordWelcome } from '../../db/welcome.ts'
import { outwardId } from '../../domain/ids.ts'
import { nextWelcome } from '../../domain/welcome.ts'
import { makeOrder, makePartner, unique } from '../support/factories.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let product: Steps
beforeAll(async () => {
  product = await startSteps()
})
afterAll(() => product.stop())

async function newPartner() {
  const { db } = product
  const id = await makePartner(db, { name: unique('Welcomed') })
  await inTransaction(db, (trx) => recordWelcome(trx, id))
  return id
}

async function mailsOf(partnerId: string): Promise<string[]> {
  const rows = await product.db
    .selectFrom('notices')
    .select('kind')
    .where('subjectId', '=', partnerId)
    .orderBy('id')
    .execute()
  return rows.map(({ kind }) => kind)
}

const send = (partnerId: string, number: number) =>
  product.steps.sendWelcomeMail({ partnerId, number })

it('each mail goes out once, however often its step is repeated', async () => {
  const id = await newPartner()
  expect(await send(id, 1)).toBe(true)
  expect(await send(id, 1)).toBe(true)
  expect(await send(id, 2)).toBe(true)
  expect(await send(id, 4)).toBe(false)
  expect(await mailsOf(id)).toEqual([
    'welcome_first_steps',
    'welcome_first_customer',
    'welcome_grow',
  ])
  expect((await findWelcome(product.db, id))?.sent).toBe(4)
})

it('who has a customer is not told to bring one in', async () => {
  const id = await newPartner()
  await makeOrder(product.db, id)
  expect(await send(id, 2)).toBe(true)
  expect(await mailsOf(id)).toEqual([])
})

it('a link in the mail ends them, for whoever holds it and for nobody else', async () => {
  const id = await newPartner()
  await send(id, 1)
  const outward = outwardId('partner', id)
  const forged = await fetch(`${product.api}/v1/partners/${outward}/welcome-mails/stop?token=x`)
  expect(forged.status).toBe(404)
  expect((await fetch(`${product.api}/v1/partners/${outward}/welcome-mails/stop`)).status).toBe(422)
  const url = product.deps.links.welcomeStopUrl(id)
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(url)
    expect([answer.status, await answer.json()]).toEqual([200, { stopped: true }])
  }
  expect(await send(id, 3)).toBe(false)
  expect(await mailsOf(id)).toEqual(['welcome_first_steps'])
})

it('a partner that is suspended hears nothing, and goes on where it is let back in', async () => {
  const id = await newPartner()
  await inTransaction(product.db, (trx) =>
    markPartner(trx, id, { from: ['active'], to: 'suspended' }),
  )
  expect(await send(id, 1)).toBe(true)
  expect(await mailsOf(id)).toEqual([])
})

it.each([
  ['grow', { status: 'terminated', stopped: false, hasCustomer: true }, 'end'],
  ['grow', { status: 'active', stopped: true, hasCustomer: true }, 'end'],
  ['grow', { status: 'active', stopped: false, hasCustomer: true }, 'send'],
  ['firstCustomer', { status: 'active', stopped: false, hasCustomer: true }, 'skip'],
  ['firstCustomer', { status: 'suspended', stopped: false, hasCustomer: false }, 'skip'],
] as const)('the turn of %s with %j comes to: %s', (mail, facts, turn) => {
  expect(nextWelcome(mail, facts)).toBe(turn)
})
