/** What is wrong with the content of a file. `torn`: it ends too early. `invalid`: there is something wrong at `offset`. */
export class ContentFault extends Error {
  override readonly name = 'ContentFault';
  readonly kind: 'torn' | 'invalid';
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Without the place, in words for operators. */
  readonly what: string;

  constructor(kind: 'torn' | 'invalid', offset: number, what: string) {
    super(`byte ${offset}: ${what}`);
    this.kind = kind;
    this.offset = offset;
    this.what = what;
  }
}
