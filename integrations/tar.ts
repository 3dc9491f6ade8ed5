/** Files in one, in the oldest form that every system opens (ustar). */

const block = 512
const longestName = 100

const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`

/** The header of a file; times are of the epoch, so that the same files make the same bytes. */
function headerOf(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) > longestName) throw new RangeError(`the name ${name} is too long`)
  const header = Buffer.alloc(block)
  header.write(name, 0)
  header.write(octal(0o644, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(size, 12), 124)
  header.write(octal(0, 12), 136)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\0', 257)
  header.write('00', 263)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** A file of the archive: header, content, and zeros to the end of its last block. */
export function tarEntry(name: string, content: Buffer): Buffer {
  const rest = (block - (content.length % block)) % block
  return Buffer.concat([headerOf(name, content.length), content, Buffer.alloc(rest)])
}

/** What ends an archive. */
export const tarEnd = Buffer.alloc(2 * block)
