/** The password in a recovery kit, as `ragwarden backup kit` prints one; undefined: this is no kit. */
export function passwordOfKit(text: string): string | undefined {
  return /^ragwarden recovery kit\r?$/m.test(text) ? /^Password +(\S.*?)\s*$/m.exec(text)?.[1] : undefined;
}
