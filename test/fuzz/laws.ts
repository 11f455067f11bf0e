import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { type ErrorCode, errorCatalogue } from '../../src/platform/errors.ts';
import { decideAccess, type Role } from '../../src/platform/http/access-class.ts';
import { defaultHeaders } from '../../src/platform/http/headers.ts';
import type { ApiDocument, ApiResponse, Reference } from '../../src/platform/http/openapi.ts';
import { connectionCodes } from '../../src/platform/http/route-problems.ts';
import type { Caller, Described, FuzzRequest } from './requests.ts';
import type { WireAnswer } from './wire.ts';

/** Text that tells of our inside: stacks, statements, places of the source. */
const leaks =
  /node_modules|\.[mc]?[jt]s:\d+|\n\s+at |SQLITE_|\bselect .+ from |insert into |\bsyntax error\b|Cannot read prop|is not a function|ECONN|ENOENT|\[object Object\]/i;

const roleOf: Readonly<Record<Caller, Role | undefined>> = {
  admin: 'admin',
  user: 'user',
  service: 'service',
  scrape: 'scrape',
  session: 'admin',
  stranger: undefined,
  forged: undefined,
};

const pointer = (...steps: readonly string[]): string =>
  steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

/**
 * What holds for every answer, read off the document as a client would.
 * @returns what is broken, in words; empty when all holds
 */
export function createLaws(document: ApiDocument, options: { secrets: readonly string[]; places: readonly string[] }) {
  const ajv = new Ajv2020({ strict: false, allErrors: false, logger: false });
  formats.default(ajv);
  ajv.addSchema(document as unknown as Record<string, unknown>, 'api');
  const responseOf = (found: ApiResponse | Reference | undefined): [ApiResponse, string[]] | undefined => {
    if (!found) return undefined;
    if (!('$ref' in found)) return [found, []];
    const name = found.$ref.split('/').at(-1) ?? '';
    const response = document.components.responses[name];
    return response && [response, ['components', 'responses', name]];
  };

  return (described: Described, asked: FuzzRequest, answer: WireAnswer): string[] => {
    const { operation } = described;
    const wrong: string[] = [];
    const { status, headers, text } = answer;
    const type = headers['content-type']?.split(';')[0];

    for (const name of Object.keys(defaultHeaders)) if (headers[name] === undefined) wrong.push(`has no ${name}`);
    if (headers['x-request-id'] === undefined) wrong.push('has no x-request-id');
    if (leaks.test(text) && type !== 'text/javascript' && !(status === 200 && asked.target.startsWith('/openapi')))
      wrong.push(`tells of our inside: ${leaks.exec(text)?.[0]}`);
    const role = roleOf[asked.caller];
    for (const secret of options.secrets) if (text.includes(secret)) wrong.push(`tells ${asked.caller} ${secret}`);
    // Disks are told by their place, to whom they concern.
    if (role !== 'admin' && described.path !== '/metrics')
      for (const place of options.places) if (text.includes(place)) wrong.push(`tells ${asked.caller} ${place}`);

    const principal = role && ({ subject: 'x', role, workspaces: 'all', via: 'token' } as const);
    if (status < 400 && decideAccess(operation['x-access'], principal) !== 'allowed')
      wrong.push(`lets ${asked.caller} in, who may not`);

    const own = String(status) in operation.responses;
    const found = responseOf(operation.responses[String(status)] ?? operation.responses.default);
    if (!found || (!own && status < 400)) return [...wrong, `has the status ${status}, which is not described`];
    const [response, place] = found;
    const content = response.content ?? {};
    if (asked.method === 'HEAD' || status === 304) {
      if (text !== '') wrong.push('has a body where none belongs');
      if (status >= 400 && type !== undefined && content[type] === undefined) wrong.push(`has the type ${type}`);
    } else if (Object.keys(content).length === 0) {
      if (text !== '') wrong.push(`has a body, which is not described: ${text.slice(0, 200)}`);
    } else if (type === undefined || content[type] === undefined)
      wrong.push(`has the type ${type}, which is not described`);
    else if (type.endsWith('ndjson')) {
      const lines = text.split('\n').slice(0, -1);
      for (const line of lines) JSON.parse(line);
      if (text !== '' && !text.endsWith('\n')) wrong.push('ends in the middle of a line');
    } else if (type.endsWith('json')) {
      const base =
        place.length > 0
          ? place
          : ['paths', described.path, described.method.toLowerCase(), 'responses', String(status)];
      const reference = `api#/${pointer(...base, 'content', type, 'schema')}`;
      const validate = ajv.getSchema(reference) ?? ajv.compile({ $ref: reference });
      if (!validate(JSON.parse(text))) wrong.push(`breaks its schema: ${ajv.errorsText(validate.errors)}`);
    }
    if (status >= 400 && type === 'application/problem+json' && asked.method !== 'HEAD')
      wrong.push(...problemsOf(described, JSON.parse(text), answer));
    if (status >= 500 && type !== 'application/problem+json' && !own) wrong.push('is no problem');
    return wrong;
  };
}

function problemsOf(
  { operation }: Described,
  problem: { code: ErrorCode; status: number; request_id: string; errors?: unknown[] },
  { status, headers }: WireAnswer,
): string[] {
  const wrong: string[] = [];
  const { code } = problem;
  const kind = errorCatalogue[code];
  if (code === 'internal/unexpected') wrong.push('failed unexpectedly');
  if (kind?.status !== status || problem.status !== status) wrong.push(`has ${code} with ${status}`);
  if (![...operation['x-codes'], ...connectionCodes].includes(code))
    wrong.push(`has the code ${code}, which the route does not tell: add it to config.problems`);
  if (problem.request_id !== headers['x-request-id']) wrong.push('has two request ids');
  if (code === 'request/invalid' && !problem.errors?.length) wrong.push('does not say what is invalid');
  if (status === 401 && headers['www-authenticate'] === undefined) wrong.push('has no www-authenticate');
  if (status === 429 && !/^\d+$/.test(headers['retry-after'] ?? '')) wrong.push('does not say when to try again');
  return wrong;
}
