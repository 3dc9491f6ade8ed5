import { passwordProblem } from '../../domain/passwords.ts'

const ada = { email: 'ada.lovelace@engine.example', name: 'Ada Lovelace' }
const problem = (password: string) => passwordProblem(password, ada)?.code

describe('a password', () => {
  test.each([
    'correct horse battery',
    'räuberhöhle am fluss',
    '密码很长没有关系的一句话吧',
    'kA9-vv2_qPz!',
    'lovelace wrote the first program',
    'a savannah river walk',
  ])('is taken when it is long: %s', (password) => {
    expect(problem(password)).toBeUndefined()
  })

  test('is counted in characters, not in bytes', () => {
    expect(problem('😀😁😂🤣😃😄😅😆😉😊😋')).toBe('too_short')
    expect(problem('😀😁😂🤣😃😄😅😆😉😊😋😎')).toBeUndefined()
  })

  test.each<[string, string]>([
    ['', 'too_short'],
    ['kA9-vv2_qPz', 'too_short'],
    ['x'.repeat(257), 'too_long'],
    ['Password1234', 'too_common'],
    ['password-1234!', 'too_common'],
    ['QwertyUiop123', 'too_common'],
    ['aaaaaaaaaaaaaaaa', 'too_common'],
    ['1212121212121212', 'too_common'],
    ['abcdefghijklmnop', 'too_common'],
    ['ada.lovelace@engine.example', 'too_personal'],
    ['AdaLovelace1815', 'too_personal'],
    ['tributary2026', 'too_personal'],
    ['engine-engine-1', 'too_personal'],
  ])('is refused: %s is %s', (password, code) => {
    expect(problem(password)).toBe(code)
  })

  test('is refused with words on what to do', () => {
    expect(passwordProblem('short', ada)?.detail).toContain('at least 12 characters')
  })
})
