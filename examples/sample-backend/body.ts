// Request bodies checked field by field, with the 422 answers of pydantic.
import type { IncomingMessage } from 'node:http';
import { HttpError, readBody } from './http.ts';
import { findJsonFault } from './store/python-json.ts';

export type Fault = {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Record<string, unknown>;
};

const mebibyte = 1_048_576;
export const ordinaryLimit = mebibyte;
export const textLimit = 50 * mebibyte;
export const uploadLimit = 101 * mebibyte;

/** Collects what is wrong, so that one answer lists everything. */
export class BodyReader {
  readonly faults: Fault[] = [];
  readonly body: Record<string, unknown>;
  constructor(body: Record<string, unknown>) {
    this.body = body;
  }

  string(name: string, limits: { min?: number; max?: number; optional?: boolean; nullable?: boolean } = {}): string {
    const value = this.body[name];
    if (value === undefined || (value === null && limits.nullable === true)) {
      if (limits.optional !== true) this.missing(name);
      return '';
    }
    return this.checkString([name], value, limits);
  }

  strings(name: string, limits: { min?: number; optional?: boolean; itemMin?: number } = {}): string[] {
    const value = this.body[name];
    if (value === undefined || value === null) {
      if (limits.optional !== true) this.missing(name);
      return [];
    }
    if (!Array.isArray(value)) {
      this.fault('list_type', [name], 'Input should be a valid list', value);
      return [];
    }
    if (value.length < (limits.min ?? 0)) {
      const msg = `List should have at least ${limits.min} item after validation, not ${value.length}`;
      this.fault('too_short', [name], msg, value, {
        field_type: 'List',
        min_length: limits.min,
        actual_length: value.length,
      });
    }
    return value.map((item, index) => this.checkString([name, index], item, { min: limits.itemMin }));
  }

  choice<Choice extends string, Otherwise>(
    name: string,
    choices: readonly Choice[],
    otherwise: Otherwise,
    kind: 'literal_error' | 'enum' = 'literal_error',
  ): Choice | Otherwise {
    const value = this.body[name];
    if (value === undefined) return otherwise;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    const listed = choices.map((choice) => `'${choice}'`);
    const expected = `${listed.slice(0, -1).join(', ')} or ${listed.at(-1)}`;
    this.fault(kind, [name], `Input should be ${expected}`, value, { expected });
    return otherwise;
  }

  boolean(name: string, otherwise: boolean): boolean {
    const value = this.body[name];
    if (value === undefined || value === null) return otherwise;
    if (typeof value === 'boolean') return value;
    this.fault('bool_type', [name], 'Input should be a valid boolean', value);
    return otherwise;
  }

  integer(name: string, limits: { min: number; max: number; otherwise: number }): number {
    const value = this.body[name];
    if (value === undefined || value === null) return limits.otherwise;
    if (typeof value !== 'number' || !Number.isInteger(value))
      this.fault('int_type', [name], 'Input should be a valid integer', value);
    else if (value < limits.min)
      this.fault('greater_than_equal', [name], `Input should be greater than or equal to ${limits.min}`, value, {
        ge: limits.min,
      });
    else if (value > limits.max)
      this.fault('less_than_equal', [name], `Input should be less than or equal to ${limits.max}`, value, {
        le: limits.max,
      });
    else return value;
    return limits.otherwise;
  }

  missing(name: string): void {
    this.fault('missing', [name], 'Field required', this.body);
  }

  fault(type: string, loc: (string | number)[], msg: string, input: unknown, ctx?: Record<string, unknown>): void {
    this.faults.push({ type, loc: ['body', ...loc], msg, input, ...(ctx === undefined ? {} : { ctx }) });
  }

  /** @throws HttpError 422 when anything was wrong */
  done(): void {
    if (this.faults.length > 0) throw new HttpError(422, this.faults);
  }

  private checkString(loc: (string | number)[], value: unknown, limits: { min?: number; max?: number }): string {
    if (typeof value !== 'string') {
      this.fault('string_type', loc, 'Input should be a valid string', value);
      return '';
    }
    const { min = 0, max = Number.POSITIVE_INFINITY } = limits;
    const characters = (count: number): string => `${count} character${count === 1 ? '' : 's'}`;
    if (value.trim().length < min)
      this.fault('string_too_short', loc, `String should have at least ${characters(min)}`, value, { min_length: min });
    else if (value.length > max)
      this.fault('string_too_long', loc, `String should have at most ${characters(max)}`, value, { max_length: max });
    return value;
  }
}

/** @throws HttpError 422 for what is no JSON object, 413 for what is too long */
export async function readJsonBody(request: IncomingMessage, limitBytes = ordinaryLimit): Promise<BodyReader> {
  const bytes = await readBody(request, limitBytes);
  if (bytes.length === 0)
    throw new HttpError(422, [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
  const text = bytes.toString();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const { what, at } = findJsonFault(text);
    const fault = { type: 'json_invalid', loc: ['body', at], msg: 'JSON decode error', input: {} };
    throw new HttpError(422, [{ ...fault, ctx: { error: what } }]);
  }
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    throw new HttpError(422, [{ type: 'model_attributes_type', loc: ['body'], msg, input: body }]);
  }
  return new BodyReader(body as Record<string, unknown>); // an object was just established
}

export type UploadedFile = { readonly fileName: string; readonly content: Buffer };

/** The part named `file` of a multipart body. @throws HttpError 422 when there is none */
export function findUploadedFile(contentType: string, body: Buffer): UploadedFile {
  const missing = new HttpError(422, [{ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }]);
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/i.exec(contentType);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw missing;
  const delimiter = Buffer.from(`\r\n--${mark}`);
  const whole = Buffer.concat([Buffer.from('\r\n'), body]);
  for (let from = whole.indexOf(delimiter); from >= 0; ) {
    const next = whole.indexOf(delimiter, from + delimiter.length);
    if (next < 0) break;
    const part = whole.subarray(from + delimiter.length + 2, next);
    const split = part.indexOf('\r\n\r\n');
    const header = part.subarray(0, Math.max(split, 0)).toString();
    const fileName = /filename="((?:[^"\\]|\\.)*)"/i.exec(header)?.[1];
    if (split >= 0 && /name="file"/i.test(header) && fileName !== undefined)
      return { fileName: decodeFileName(fileName), content: part.subarray(split + 4) };
    from = next;
  }
  throw missing;
}

function decodeFileName(name: string): string {
  return name.replaceAll('%22', '"').replaceAll('\\"', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n');
}
