const t0 = Date.now()
import { createApp } from '../../api/app.ts'
import { createTestDatabase } from '../support/database.ts'
it('a', async () => {
  const t1 = Date.now()
  const p = await createTestDatabase()
  const t2 = Date.now()
  await p.drop()
  process.stderr.write(`LIGHT import ${t1 - t0} start ${t2 - t1} stop ${Date.now() - t2} ${typeof createApp}\n`)
})
