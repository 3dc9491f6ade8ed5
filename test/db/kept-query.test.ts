import { keptQuery } from '../../db/kept-query.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
})
afterAll(() => database.drop())

describe('a read whose text is made once', () => {
  test('answers each caller for its own value, with names as the code has them', async () => {
    let made = 0
    const parentOf = keptQuery((db, id) => {
      made += 1
      return db.selectFrom('partners').select(['id', 'parentId']).where('id', '=', id).limit(1)
    })
    const master = await makePartner(database.db, { level: 'master_reseller' })
    const below = await makePartner(database.db, { parentId: master })
    const found = await Promise.all([parentOf(database.db, below), parentOf(database.db, master)])
    expect(found).toEqual([[{ id: below, parentId: master }], [{ id: master, parentId: null }]])
    expect(made).toBe(1)
  })

  test('is part of the transaction that it is asked in', async () => {
    const byName = keptQuery((db, name) =>
      db.selectFrom('partners').select('name').where('name', '=', name),
    )
    const id = await makePartner(database.db)
    const work = database.db.transaction().execute(async (trx) => {
      await trx.updateTable('partners').set({ name: 'Inside' }).where('id', '=', id).execute()
      expect(await byName(trx, 'Inside')).toEqual([{ name: 'Inside' }])
      throw new Error('taken back')
    })
    await expect(work).rejects.toThrow('taken back')
    expect(await byName(database.db, 'Inside')).toEqual([])
  })
})
