import { inTransaction } from '../../db/database.ts'
import { recordManualTask } from '../../db/manual-tasks.ts'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await newTask('cancelPlatformSubscription')
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const subject = 'ten_01h455vb4pex5vsknk084sn02q'

async function newTask(what: string): Promise<void> {
  const task = { taskKey: unique('task'), kind: 'undo_failed', subject, what }
  for (let i = 0; i < 2; i++) {
    await inTransaction(product.db, (trx) => recordManualTask(trx, task))
  }
}

const list = async (query = '') =>
  rows(await call(`/v1/manual-tasks${query}`, { key: world.owner.key }))
const close = (id: unknown, body: Json = { note: 'canceled at the vendor by hand' }) =>
  call(`/v1/manual-tasks/${id}/close`, { method: 'POST', key: world.owner.key, body })

describe('what a person has to finish', () => {
  it('is listed until somebody says how it was done, once', async () => {
    const [task, ...more] = await list('?status=open')
    expect(more).toEqual([])
    expect(task).toEqual({
      id: expect.stringMatching(/^mtk_/),
      kind: 'undo_failed',
      subject,
      what: 'cancelPlatformSubscription',
      opened_at: expect.stringMatching(/Z$/),
      closed_at: null,
      closed_by: null,
      note: null,
    })
    const closed = await close(task?.id)
    expect(closed.body).toEqual({
      ...task,
      closed_at: expect.stringMatching(/Z$/),
      closed_by: expect.stringMatching(/^mem_/),
      note: 'canceled at the vendor by hand',
    })
    expect(await list('?status=open')).toEqual([])
    expect(await list('?status=closed')).toEqual([closed.body])
    const again = await close(task?.id)
    expect([again.status, again.body.code]).toEqual([409, 'conflict'])
  })

  it('is closed with a note, and only where there is a task', async () => {
    await newTask('clearTenant')
    const [task] = await list('?status=open')
    expect(faults(await close(task?.id, {}))).toEqual(['missing /note'])
    expect(faults(await close(task?.id, { note: '' }))).toEqual(['invalid /note'])
    const unknown = await close('mtk_01h455vb4pex5vsknk084sn02q')
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found'])
  })

  itRefusesBadQueries('/v1/manual-tasks', stage, [['status=done', 'invalid /status']])

  const routes = ['GET /v1/manual-tasks', 'POST /v1/manual-tasks/:id/close']
  itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))

  itTakesLiveKeysOnly(stage, routes)
})
