import { traceOf } from '../../api/trace.ts'

describe('the trace of a request', () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
  const parent = '00f067aa0ba902b7'

  it.each([
    [`00-${trace}-${parent}-01`, true],
    [`00-${trace}-${parent}-00`, false],
    [`cc-${trace}-${parent}-01-more`, true],
  ])('is that of the caller: %s', (header, sampled) => {
    expect(traceOf(header)).toEqual({ traceId: trace, parentId: parent, sampled })
  })

  it.each([
    '',
    `00-${trace}-${parent}-01-more`,
    `ff-${trace}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${trace}-${parent}`,
    `00-${trace}-${parent}-01, 00-${trace}-${parent}-01`,
  ])('is none where it is malformed: %s', (header) => {
    expect(traceOf(header)).toBeNull()
  })
})
