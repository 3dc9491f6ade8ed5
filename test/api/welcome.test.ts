/** The link that ends the first mails: it needs no key, and proves itself. */
import { inTransaction } from '../../db/database.ts'
import { recordWelcome } from '../../db/welcome.ts'
import { outwardId } from '../../domain/ids.ts'
import { createLinks } from '../../integrations/links.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf } from './kit.ts'

let product: Product
let call: Call
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
})
afterAll(() => product.stop())

const stop = (id: string, query = '') =>
  call(`/v1/partners/${outwardId('partner', id)}/welcome-mails/stop${query}`)

it('ends the mails of its partner, and says so again when it is opened again', async () => {
  const id = await makePartner(product.db)
  await inTransaction(product.db, (trx) => recordWelcome(trx, id))
  const { api } = product.config
  const query = new URL(createLinks(api).welcomeStopUrl(id)).search
  for (let i = 0; i < 2; i++) {
    expect(await stop(id, query)).toMatchObject({ status: 200, body: { stopped: true } })
  }
})

it('is 404 with the token of another partner, 422 without one, and never asks for a key', async () => {
  const [one, other] = [await makePartner(product.db), await makePartner(product.db)]
  const query = new URL(createLinks(product.config.api).welcomeStopUrl(other)).search
  expect((await stop(one, query)).status).toBe(404)
  const bare = await stop(one)
  expect(bare.status).toBe(422)
  expect(bare.status).not.toBe(401)
})

it('is 404 for a partner that gets no such mails', async () => {
  const id = await makePartner(product.db)
  const query = new URL(createLinks(product.config.api).welcomeStopUrl(id)).search
  expect((await stop(id, query)).status).toBe(404)
})
