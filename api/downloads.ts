/** Files that a caller keeps. */

export function download(mediaType: string, file: string): Record<string, string> {
  return { 'Content-Type': mediaType, 'Content-Disposition': `attachment; filename="${file}"` }
}
