import { type Remittance, remittanceFigures } from '../../domain/remittances.ts'

const advice: Remittance = {
  payout: 'pay_1',
  partner: 'Acme',
  paidAt: new Date('2026-11-04T00:00:00Z'),
  transfer: 'tr_1',
  statement: { number: '2026-10-000001', period: '2026-10', sincePeriod: null },
  payable: 10_000n,
  statementCurrency: 'USD',
  rate: null,
  rounding: 0n,
  withheld: 0n,
  vat: 0n,
  amount: 10_000n,
  currency: 'USD',
}

test('an advice in one currency goes from what is payable to what was paid', () => {
  expect(remittanceFigures(advice).map(({ label }) => label)).toEqual([
    'Payable by the statement',
    'Paid',
  ])
})

test('an advice in another currency adds up, with what was left and what was withheld', () => {
  const rate = { rate: '361.2345', source: 'ecb', asOf: new Date('2026-10-31T00:00:00Z') }
  const withheld = { withheld: 12_300n, rounding: 45n, amount: 3_600_000n }
  const figures = remittanceFigures({ ...advice, ...withheld, rate, currency: 'HUF' })
  expect(figures.map(({ label, amount }) => `${label} ${amount}`)).toEqual([
    'Payable by the statement 10000',
    'Converted 3612345',
    'Left by rounding -45',
    'Tax withheld -12300',
    'Paid 3600000',
  ])
  const inHuf = figures.filter(({ currency }) => currency === 'HUF').map(({ amount }) => amount)
  const paid = inHuf.pop()
  expect(inHuf.reduce((sum, amount) => sum + amount, 0n)).toBe(paid)
})
