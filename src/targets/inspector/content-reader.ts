import { ContentFault } from './content-fault.ts';
import { createJsonScanner, type JsonValue, type JsonVisitor } from './json-scanner.ts';
import { createUtf8Check } from './utf8-check.ts';

/** Takes the bytes of one file in order and knows something at the end. Both throw ContentFault. */
export type ContentReader<Result> = {
  write(bytes: Uint8Array): void;
  end(): Result;
};

/** A reader of a JSON file; `end` is asked once the document is known to be complete and right. */
export function createJsonReader<Result>(visitor: JsonVisitor & { end(): Result }): ContentReader<Result> {
  const utf8 = createUtf8Check();
  const scanner = createJsonScanner(visitor);
  return {
    write(bytes) {
      utf8.write(bytes);
      scanner.write(bytes);
    },
    end() {
      utf8.end();
      scanner.end();
      return visitor.end();
    },
  };
}

/** Every file of these stores is one object; anything else is not what its name says. */
export function requireObject(value: JsonValue, what: string): void {
  if (value.kind !== 'object') throw new ContentFault('invalid', value.start, `${what} is not a JSON object`);
}
