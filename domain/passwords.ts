/** Which passwords are taken. Length counts, not a mix of signs (NIST SP 800-63B-4). */

/**
 * The guideline asks for 15 characters where the password stands alone and for 8 beside a second
 * factor. A password is set before it is known which it will be, so one number lies between them.
 */
export const shortestPassword = 12
export const longestPassword = 256

/** What is tried first against every service, as far as it is long enough to be tried here. */
const common = new Set(
  `123456789012 1234567890123 12345678901234 123456789abc 1234567890ab 1q2w3e4r5t6y
  1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv abcdefghijkl abcdefg12345 abcd1234abcd abc123abc123
  adminadminadmin administrator administrator1 administrator123 asdfghjkl123 asdfghjklasdf
  changeme1234 changemenow1 changemechangeme chocolate123 correcthorsebatterystaple football1234
  football12345 iloveyou1234 iloveyou12345 iloveyouforever letmein12345 letmeinletmein
  letmeinplease liverpool123 manchesterunited mypassword123 mypassword1234 myspace12345
  password1234 password12345 password123456 passwordpassword passw0rd1234 p4ssword1234
  princess1234 princess12345 qazwsxedcrfv qwerty123456 qwerty1234567 qwertyqwerty qwertyuiop12
  qwertyuiop123 qwertyuiop1234 qwertyuiopasdf qwertyuiopasdfghjkl secretpassword starwars1234
  sunshine1234 sunshine12345 superman1234 thisismypassword trustno1trustno1 unbelievable
  welcome12345 welcome123456 welcomewelcome whatever1234 zaq12wsxcde3 zxcvbnm12345
  zxcvbnmasdfg`.split(/\s+/),
)

/** Marks make no word uncommon: `Sunshine-1234!` is `sunshine1234`. */
const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')

export interface PasswordProblem {
  code: 'too_short' | 'too_long' | 'too_common' | 'too_personal'
  detail: string
}

/** What others know of a person, and of where it signs in. */
function knownWords({ email, name }: { email: string; name: string }): string[] {
  const words = `${email} ${name} tributary password`.toLowerCase().split(/[^\p{L}\p{N}]+/u)
  const whole = [email.split('@')[0] ?? '', name].map((text) => text.toLowerCase())
  // Longer words first, so that a word within another does not leave its ends.
  return [...whole, ...words]
    .filter((word) => word.length >= 3)
    .sort((left, right) => right.length - left.length)
}

/** Why a password is refused, or undefined. */
export function passwordProblem(
  password: string,
  person: { email: string; name: string },
): PasswordProblem | undefined {
  const length = [...password].length
  if (length < shortestPassword) {
    const detail = `use at least ${shortestPassword} characters; a few words in a row are good`
    return { code: 'too_short', detail }
  }
  if (length > longestPassword) {
    return { code: 'too_long', detail: `use at most ${longestPassword} characters` }
  }
  const letters = plain(password)
  if (common.has(letters) || new Set(password.toLowerCase()).size < 5 || isRun(letters)) {
    const detail = 'this is one of the passwords that are tried first: choose another one'
    return { code: 'too_common', detail }
  }
  let rest = password.toLowerCase()
  for (const word of knownWords(person)) rest = rest.replaceAll(word, '')
  if (rest.length < 8 && rest.length < length) {
    const detail = 'it is made of your name, your address or ours: choose another one'
    return { code: 'too_personal', detail }
  }
  return undefined
}

/** Whether each sign follows on the one before, like `abcdefghijklm` or `0987654321`. */
function isRun(text: string): boolean {
  if (text.length < 8) return false
  const steps = [...text].slice(1).map((sign, i) => sign.charCodeAt(0) - text.charCodeAt(i))
  return new Set(steps).size === 1
}
