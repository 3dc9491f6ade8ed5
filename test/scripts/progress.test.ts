import { createProgress, recordedProgress } from '../../scripts/launch/progress.ts'

describe('progress', () => {
  it('names a finished step with its reason, its result and its time', () => {
    const progress = recordedProgress()
    progress.step('PostgreSQL', 'keeps the books').done('18.4')
    expect(progress.lines).toHaveLength(1)
    expect(progress.lines[0]).toMatch(/^✓ PostgreSQL – keeps the books: 18\.4 \(0\.\d\d s\)$/)
  })

  it('prints one line per tenth when the output is piped', () => {
    const progress = recordedProgress()
    const step = progress.step('build')
    for (let done = 0; done <= 1_000; done += 1) step.update(`${done} of 1000`, done / 1_000)
    step.done()
    expect(progress.lines).toHaveLength(11)
    expect(progress.lines[0]).toMatch(/^… build: 10 %, 100 of 1000 \(/)
  })

  it('keeps one updating line on a terminal', () => {
    let written = ''
    const output = { isTTY: true, columns: 60, write: (text: string) => (written += text) }
    const step = createProgress(output).step('build')
    step.update('half', 0.5)
    step.update('more', 0.6)
    expect(written).not.toContain('\n')
    step.done('ready')
    expect(written.match(/\n/g)).toHaveLength(1)
  })
})
