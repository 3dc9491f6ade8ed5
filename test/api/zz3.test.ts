const t0 = Date.now()
import { startProduct } from '../support/product.ts'
it('a', async () => {
  const t1 = Date.now()
  const p = await startProduct()
  const t2 = Date.now()
  await fetch(p.api + '/v1/me')
  const t3 = Date.now()
  await p.stop()
  process.stderr.write(`import ${t1 - t0} start ${t2 - t1} first ${t3 - t2} stop ${Date.now() - t3}\n`)
})
