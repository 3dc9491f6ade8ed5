import { contrastOf, cssFault, imageTypeOf, textOn, unreadable } from '../../domain/branding.ts'

describe('colors', () => {
  it('have the contrast that the standard names', () => {
    expect(contrastOf('#000000', '#ffffff')).toBeCloseTo(21, 5)
    expect(contrastOf('#777777', '#777777')).toBe(1)
    expect(contrastOf('#767676', '#ffffff')).toBeCloseTo(4.54, 2)
  })

  it('are told apart into those that can be read and those that cannot', () => {
    const colors = { backgroundColor: '#ffffff', textColor: '#767676', primaryColor: '#949494' }
    expect(unreadable(colors)).toEqual([])
    expect(unreadable({ ...colors, textColor: '#777777' })).toEqual(['textColor'])
    expect(unreadable({ ...colors, primaryColor: '#959595' })).toEqual(['primaryColor'])
  })

  it.each(['#000000', '#ffffff', '#ff0000', '#00ff00', '#0000ff', '#777777', '#808080'])(
    'like %s get a text on them that can be read',
    (color) => expect(contrastOf(color, textOn(color))).toBeGreaterThan(4.5),
  )
})

describe('a style sheet', () => {
  it.each(['', 'a { color: red }', '@media print { a { color: #123 } }', '/* url */ a{}'])(
    'is taken when it is harmless: %s',
    (css) => expect(cssFault(css)).toBeUndefined(),
  )

  it.each([
    'a{background:URL (x)}',
    'a{background:ur/**/l(x)}',
    'a{background:\\75rl(x)}',
    '@font-face{src:local(x)}',
    'a{width:expression(1)}',
    'a{behavior:x}',
    'a{-moz-binding:x}',
    'a{position:FIXED}',
    '</style>',
    'a{} /* open',
    'a{}}',
    'a{{}',
  ])('is refused when it loads, runs or hides something: %s', (css) =>
    expect(cssFault(css)).toEqual(expect.any(String)),
  )
})

describe('an image', () => {
  const webp = Buffer.from('RIFF\u0000\u0000\u0000\u0000WEBPVP8 ', 'latin1')
  it.each([
    ['image/png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0])],
    ['image/jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xdb])],
    ['image/webp', webp],
    [undefined, Buffer.from('RIFF\u0000\u0000\u0000\u0000WAVEfmt ', 'latin1')],
    [undefined, Buffer.from('<?xml version="1.0"?><svg/>')],
    [undefined, Buffer.from([0x89, 0x50])],
  ])('is %s by its first bytes', (type, bytes) => expect(imageTypeOf(bytes)).toBe(type))
})
