import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { readJson, writeJson } from '../../scripts/launch/json-file.ts'
import { pathsOf } from '../../scripts/launch/paths.ts'
import { choosePorts, freePort, isFree, portRoles } from '../../scripts/launch/ports.ts'
import { recordedProgress, silentProgress } from '../../scripts/launch/progress.ts'
import { type Checkout, makeCheckout, program } from './checkout.ts'

let checkout: Checkout
const servers: Server[] = []
const children: ChildProcess[] = []
beforeEach(() => {
  checkout = makeCheckout()
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  checkout.remove()
})

async function occupy(): Promise<number> {
  const port = await freePort()
  const server = createServer().listen({ host: '127.0.0.1', port })
  servers.push(server)
  await once(server, 'listening')
  return port
}

describe('choosePorts', () => {
  it('gives every role a port of its own that is really free', async () => {
    const ports = await choosePorts({ env: checkout.env, progress: silentProgress() })
    const numbers = portRoles.map((role) => ports[role])
    expect(new Set(numbers).size).toBe(portRoles.length)
    expect(await Promise.all(numbers.map(isFree))).not.toContain(false)
  })

  it('steps over a busy port, says who has it, and never ends on 7233', async () => {
    const busy = await occupy()
    writeJson(pathsOf(checkout.env).ports, { api: busy, temporal: 7233 })
    const progress = recordedProgress()
    const ports = await choosePorts({ env: checkout.env, progress })
    expect(ports.api).not.toBe(busy)
    expect(ports.temporal).not.toBe(7233)
    expect(progress.lines.join('\n')).toContain(`port ${busy} is busy (process ${process.pid}, `)
    expect(progress.lines.join('\n')).toContain(`using ${ports.api} for api`)
  })

  it('keeps the ports it chose the last time', async () => {
    const stored = await freePort()
    writeJson(pathsOf(checkout.env).ports, { smtp: stored })
    const first = await choosePorts({ env: checkout.env, progress: silentProgress() })
    const second = await choosePorts({ env: checkout.env, progress: silentProgress() })
    expect(first.smtp).toBe(stored)
    expect(second).toEqual(first)
    expect(readJson(pathsOf(checkout.env).ports)).toEqual(first)
  })

  it('leaves the port of a server of ours that runs already to it', async () => {
    const held = { postgres: await occupy() }
    const ports = await choosePorts({ env: checkout.env, progress: silentProgress(), held })
    expect(ports.postgres).toBe(held.postgres)
  })

  it('fails on a busy port when it may not step over', async () => {
    writeJson(pathsOf(checkout.env).ports, { api: await occupy() })
    const choice = { env: checkout.env, progress: silentProgress(), strict: true }
    await expect(choosePorts(choice)).rejects.toThrow(/\(api\) is busy/)
  })

  it('does not choose what another checkout has chosen and not yet opened', async () => {
    const other = makeCheckout({ cacheDir: checkout.env.cacheDir })
    const source = program(
      checkout,
      'choose.ts',
      `import { choosePorts } from 'LAUNCH/ports.ts'
       import { silentProgress } from 'LAUNCH/progress.ts'
       const env = JSON.parse(process.argv[2] ?? '')
       console.log(JSON.stringify(await choosePorts({ env, progress: silentProgress() })))
       setInterval(() => {}, 1_000)`,
    )
    const child = spawn(process.execPath, [source, JSON.stringify(other.env)])
    children.push(child)
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const theirs = Object.values(JSON.parse(line.toString('utf8')) as Record<string, number>)
    const ours = await choosePorts({ env: checkout.env, progress: silentProgress() })
    for (const port of Object.values(ours)) expect(theirs).not.toContain(port)
    other.remove()
  })
})
