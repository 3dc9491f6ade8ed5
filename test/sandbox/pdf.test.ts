import { makePdf, type PdfOrder } from '../../sandbox/pdf.ts'
import { readPdf } from '../integrations/pdf.ts'

const order = (name: string): PdfOrder => ({
  title: 'Your partner agreement',
  date: new Date(0),
  parts: [{ heading: `Signer: ${name}`, rows: [['Status', 'completed']], text: 'Words.' }],
})

describe('a page of the sandbox', () => {
  test('shows names of other alphabets with letters that it brings along', async () => {
    const name = 'Żółć Ελλάς Привет'
    const pdf = await makePdf(order(name))
    expect(readPdf(pdf).pages[0]).toContain(`Signer: ${name}`)
  })

  test('needs no letters of its own where every reader has them', async () => {
    const western = await makePdf(order('Zoë Müller'))
    expect(western.toString('latin1')).toContain('/BaseFont /Helvetica')
    expect(readPdf(western).fontsEmbedded).toBe(false)
  })

  test.each(['Zoë Müller', 'Żółć'])('is the same for the same order: %s', async (name) => {
    const [one, other] = [await makePdf(order(name)), await makePdf(order(name))]
    expect(one.equals(other)).toBe(true)
  })
})
